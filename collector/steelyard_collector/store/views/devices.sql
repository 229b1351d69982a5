CREATE OR REPLACE VIEW steelyard.devices ${on_cluster} AS
WITH
    (SELECT if(count() = 0, 15000, argMax(window_ms, ver)) FROM steelyard_store.live_window) AS window_ms
SELECT
    d.device_id AS device_id,
    d.uid AS uid,
    a.node AS node,
    d.agent AS agent,
    d.vendor AS vendor,
    d.kind AS kind,
    d.name AS name,
    nullIf(d.chip, '') AS chip,
    d.part AS part,
    nullIf(d.package_uid, '') AS package_uid,
    d.device_index AS device_index,
    nullIf(d.pci_address, '') AS pci_address,
    d.origin AS origin,
    nullIf(d.driver_version, '') AS driver_version,
    nullIf(d.power_scope, '') AS power_scope,
    nullIf(d.memory_bytes, 0) AS memory_bytes,
    d.first_seen AS first_seen,
    f.newest_ts AS last_seen,
    -- by the collector's clock: the agent's offset is taken off
    if(f.newest_ts IS NULL, NULL, greatest(0, (toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(f.newest_ts) + ifNull(a.offset_ms, 0)) / 1000)) AS age_s,
    multiIf(age_s IS NULL, 'silent', age_s * 1000 <= window_ms, 'live', age_s <= 60 + window_ms / 1000, 'stale', 'silent') AS state,
    j.held_by AS job,
${fast_gauges},
    if(state = 'silent', NULL, coalesce(toFloat64(s.slow_hbm_total_bytes), toFloat64(nullIf(d.memory_bytes, 0)))) AS hbm_total_bytes,
    hbm_used_bytes / nullIf(hbm_total_bytes, 0) AS hbm_used_ratio
FROM (SELECT * FROM steelyard_store.device FINAL) AS d
LEFT JOIN
(
    SELECT r.agent AS agent, r.node AS node, t.clock_offset_ms AS offset_ms
    FROM (SELECT agent, node FROM steelyard_store.agent FINAL) AS r
    LEFT JOIN (SELECT agent, clock_offset_ms FROM steelyard_store.agent_state FINAL) AS t ON t.agent = r.agent
) AS a ON a.agent = d.agent
LEFT JOIN (SELECT *, toNullable(ts) AS newest_ts FROM steelyard_store.live_device FINAL WHERE is_slow = 0) AS f ON f.device_id = d.device_id
LEFT JOIN (SELECT device_id, hbm_total_bytes AS slow_hbm_total_bytes FROM steelyard_store.live_device FINAL WHERE is_slow = 1) AS s ON s.device_id = d.device_id
LEFT JOIN
(
    SELECT device_id, toNullable(argMax(job, from_ts)) AS held_by
    FROM steelyard_store.live_job FINAL
    WHERE closed = 0 AND to_ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE
    GROUP BY device_id
) AS j ON j.device_id = d.device_id
