SELECT
    profile, ts, to_ts, node, rank, chip, profiler, cause, state, reason, devices, steps, window_ns, step_s, loss_s, loss_low_s, loss_high_s,
    samples, origin
FROM profiles
WHERE job = {job:String}
ORDER BY ts DESC
LIMIT 64
