CREATE OR REPLACE VIEW steelyard.jobs ${on_cluster} AS
SELECT
    l.job AS job,
    nullIf(argMax(l.name, l.to_ts), '') AS name,
    nullIf(argMax(l.scheduler, l.to_ts), '') AS scheduler,
    nullIf(argMax(l.user, l.to_ts), '') AS user,
    any(d.origin) AS origin,
    arraySort(groupUniqArray(d.vendor)) AS vendors,
    arraySort(groupUniqArray(d.chip)) AS chips,
    uniqExact(d.agent) AS nodes,
    uniqExact(l.device_id) AS devices,
    argMax(l.world_size, l.to_ts) AS world_size,
    min(l.from_ts) AS since,
    max(l.to_ts) AS last_seen,
    -- an interval that is neither closed nor told again has ended without a word
    if(countIf(l.is_open) > 0, 'running', 'ended') AS state,
    avgIf(d.busy, l.is_open AND d.state = 'live') AS busy,
    avgIf(d.core_active, l.is_open AND d.state = 'live') AS core_active,
    avgIf(d.tensor_active, l.is_open AND d.state = 'live') AS tensor_active,
    avgIf(d.hbm_bw_active, l.is_open AND d.state = 'live') AS hbm_bw_active,
    sumIf(d.power_w, l.is_open AND d.state = 'live') AS power_w
FROM
(
    SELECT *, closed = 0 AND to_ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE AS is_open
    FROM steelyard_store.live_job FINAL
) AS l
INNER JOIN
(
    SELECT device_id, agent, vendor, chip, origin, state, busy, core_active, tensor_active, hbm_bw_active, power_w
    FROM steelyard.devices
) AS d ON d.device_id = l.device_id
GROUP BY l.job
