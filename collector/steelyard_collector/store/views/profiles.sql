CREATE OR REPLACE VIEW steelyard.profiles ${on_cluster} AS
SELECT
    p.id AS profile, p.ts AS ts, p.to_ts AS to_ts, p.job AS job, coalesce(nullIf(p.run, ''), nullIf(f.run, ''), p.job) AS run,
    f.model_key AS model, f.workload AS workload, nullIf(f.precision, '') AS precision,
    nullIf(a.node, '') AS node, p.agent AS agent, p.device_id AS device_id, nullIf(d.uid, '') AS uid, d.device_index AS device_index,
    nullIf(d.vendor, '') AS vendor, nullIf(d.chip, '') AS chip, nullIf(p.chip, '') AS trace_chip, p.pid AS pid, p.rank AS rank, p.world_size AS world_size,
    p.profiler AS profiler, p.cause AS cause, p.state AS state, nullIf(p.reason, '') AS reason, nullIf(p.format, '') AS format,
    p.devices AS devices, p.steps AS steps,
    -- of all of the job's steps since its start: what one rank has of a step's tokens
    o.tokens / nullIf(o.steps, 0) / nullIf(p.world_size, 0) AS tokens_per_step,
    p.window_ns AS window_ns, p.compute_ns AS compute_ns, p.communication_ns AS communication_ns, p.overlapped_ns AS overlapped_ns,
    p.communication_ns - p.overlapped_ns AS exposed_ns, p.memory_copy_ns AS memory_copy_ns, p.idle_ns AS idle_ns, p.data_wait_ns AS data_wait_ns,
    p.compute_ns / nullIf(p.window_ns, 0) AS compute_share, (p.communication_ns - p.overlapped_ns) / nullIf(p.window_ns, 0) AS exposed_share,
    p.memory_copy_ns / nullIf(p.window_ns, 0) AS memory_copy_share, p.idle_ns / nullIf(p.window_ns, 0) AS idle_share,
    p.data_wait_ns / nullIf(p.window_ns, 0) AS data_wait_share,
    -- without a device the window is that of the host's busiest thread
    p.window_ns / nullIf(p.steps, 0) / greatest(p.devices, 1) / 1e9 AS step_s,
    p.window_ns / nullIf(p.steps, 0) / (o.tokens / nullIf(o.steps, 0) / nullIf(p.world_size, 0)) AS token_ns,
    p.kernels AS kernels, p.kernels_ns AS kernels_ns, p.gaps AS gaps, p.longest_gap_ns AS longest_gap_ns,
    p.loss_s AS loss_s, p.loss_low_s AS loss_low_s, p.loss_high_s AS loss_high_s,
    p.with_stacks AS with_stacks, p.with_shapes AS with_shapes, p.trace_bytes AS trace_bytes, p.notes AS notes,
    p.samples AS samples, p.sampled_hz AS sampled_hz, coalesce(nullIf(d.origin, ''), nullIf(a.origin, '')) AS origin
FROM steelyard_store.profile AS p FINAL
LEFT JOIN (SELECT agent, node, origin FROM steelyard_store.agent FINAL) AS a ON a.agent = p.agent
LEFT JOIN (SELECT toNullable(device_id) AS device_id, uid, toNullable(device_index) AS device_index, vendor, chip, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = p.device_id
LEFT JOIN (SELECT job, run, model_key, workload, precision FROM steelyard_store.job_fact FINAL) AS f ON f.job = p.job
LEFT JOIN (SELECT job, steps, tokens FROM steelyard_store.job_total FINAL) AS o ON o.job = p.job
