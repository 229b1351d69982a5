SELECT
    now64(3, 'UTC') AS read_at, job, run, name, scheduler, user, origin, state, state_since, since, last_seen, vendors, chips, nodes, devices, world_size,
    busy, core_active, power_w, model, workload, sequence_length, precision, task, steps, tokens, tokens_origin, tokens_absent, last_step,
    step_p50_s, step_p99_s, goodput
FROM jobs
WHERE job = {job:String}
