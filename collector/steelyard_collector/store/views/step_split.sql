CREATE OR REPLACE VIEW steelyard.step_split ${on_cluster} AS
-- the parts of a window, which add up to it
SELECT
    r.profile AS profile, r.ts AS ts, r.job AS job, coalesce(nullIf(f.run, ''), r.job) AS run, f.model_key AS model, f.workload AS workload,
    nullIf(a.node, '') AS node, r.agent AS agent, r.device_id AS device_id, nullIf(d.vendor, '') AS vendor, nullIf(d.chip, '') AS chip, r.rank AS rank,
    coalesce(nullIf(d.origin, ''), nullIf(a.origin, '')) AS origin,
    r.layer AS layer, r.name AS class, r.total_ns AS duration_ns, p.window_ns AS window_ns, r.total_ns / nullIf(p.window_ns, 0) AS share,
    p.steps AS steps, p.devices AS devices,
    -- of one step on one device; where the host alone was seen, of its step
    r.total_ns / nullIf(p.steps, 0) / greatest(p.devices, 1) / 1e6 AS ms_per_step,
    o.tokens / nullIf(o.steps, 0) / nullIf(p.world_size, 0) AS tokens_per_step,
    r.total_ns / nullIf(p.steps, 0) / (o.tokens / nullIf(o.steps, 0) / nullIf(p.world_size, 0)) AS token_ns
FROM steelyard_store.profile_row AS r
INNER JOIN (SELECT id, ts, window_ns, steps, devices, world_size FROM steelyard_store.profile FINAL) AS p ON p.id = r.profile AND p.ts = r.ts
LEFT JOIN (SELECT agent, node, origin FROM steelyard_store.agent FINAL) AS a ON a.agent = r.agent
LEFT JOIN (SELECT toNullable(device_id) AS device_id, vendor, chip, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = r.device_id
LEFT JOIN (SELECT job, run, model_key, workload FROM steelyard_store.job_fact FINAL) AS f ON f.job = r.job
LEFT JOIN (SELECT job, steps, tokens FROM steelyard_store.job_total FINAL) AS o ON o.job = r.job
WHERE r.by = 'part'
