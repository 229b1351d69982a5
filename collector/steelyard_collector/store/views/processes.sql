CREATE OR REPLACE VIEW steelyard.processes ${on_cluster} AS
-- a process that held a device, every ten seconds
SELECT
    p.ts AS ts, nullIf(a.node, '') AS node, p.agent AS agent, p.device_id AS device_id, nullIf(d.uid, '') AS uid, d.device_index AS device_index,
    nullIf(d.vendor, '') AS vendor, nullIf(d.chip, '') AS chip, coalesce(nullIf(d.origin, ''), nullIf(a.origin, '')) AS origin,
    p.pid AS pid, p.start_ts AS start_ts, nullIf(toString(p.job), '') AS job, nullIf(toString(p.user), '') AS user,
    nullIf(p.container, '') AS container, nullIf(toString(p.command), '') AS command,
    p.rank AS rank, p.local_rank AS local_rank, p.world_size AS world_size, p.hbm_used_bytes AS hbm_used_bytes, p.cpu_share AS cpu_share,
    p.rss_bytes AS rss_bytes, p.threads AS threads, p.voluntary_switches AS voluntary_switches, p.involuntary_switches AS involuntary_switches,
    p.read_bytes AS read_bytes
FROM steelyard_store.process AS p
LEFT JOIN (SELECT agent, node, toString(origin) AS origin FROM steelyard_store.agent FINAL) AS a ON a.agent = p.agent
LEFT JOIN (SELECT device_id, uid, toNullable(device_index) AS device_index, toString(vendor) AS vendor, toString(chip) AS chip, toString(origin) AS origin FROM steelyard_store.device FINAL) AS d ON d.device_id = p.device_id
