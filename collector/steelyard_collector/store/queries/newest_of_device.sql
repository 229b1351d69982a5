-- every device with its newest row, of the columns that a view needs: planning pays for each, and again for each copy of an alias,
-- so age and state are columns of subqueries before anything tests them
SELECT
    u.*,
    multiIf(u.age_s IS NULL, 'silent', u.age_s * 1000 <= u.window_ms, 'live', u.age_s <= 60 + u.window_ms / 1000, 'stale', 'silent') AS state
FROM
(
    SELECT
        ${device_columns},
        ${newest_columns},
        f.newest_ts AS newest_ts,
        a.node AS node,
        ${holder_columns}
        (SELECT if(count() = 0, 15000, argMax(window_ms, ver)) FROM steelyard_store.live_window) AS window_ms,
        -- by the collector's clock: the agent's offset is taken off
        if(f.newest_ts IS NULL, NULL, greatest(0, (toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(f.newest_ts) + ifNull(a.offset_ms, 0)) / 1000)) AS age_s
    FROM steelyard_store.device AS d FINAL
    LEFT JOIN
    (
        SELECT r.agent AS agent, r.node AS node, t.clock_offset_ms AS offset_ms
        FROM (SELECT agent, node FROM steelyard_store.agent FINAL) AS r
        LEFT JOIN (SELECT agent, clock_offset_ms FROM steelyard_store.agent_state FINAL) AS t ON t.agent = r.agent
    ) AS a ON a.agent = d.agent
${holders}    LEFT JOIN (SELECT device_id, ${gauges}, toNullable(ts) AS newest_ts FROM steelyard_store.live_device FINAL WHERE is_slow = 0) AS f ON f.device_id = d.device_id
) AS u
