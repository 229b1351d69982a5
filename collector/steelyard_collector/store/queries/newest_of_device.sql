-- every device with its newest row, of the columns that a view needs: planning pays for each, and again for each copy of an alias,
-- so age and state are columns of subqueries before anything tests them
SELECT
    u.*,
    ${state} AS state
FROM
(
    SELECT
        ${device_columns},
        ${newest_columns},
        f.newest_ts AS newest_ts,
        a.node AS node,
        ${holder_columns}
        ${window_ms} AS window_ms,
        -- by the collector's clock: the agent's offset is taken off
        ${age_s} AS age_s
    FROM steelyard_store.device AS d FINAL
    LEFT JOIN
    (
        SELECT r.agent AS agent, r.node AS node, t.clock_offset_ms AS offset_ms
        FROM (SELECT agent, node FROM steelyard_store.agent FINAL) AS r
        LEFT JOIN (SELECT agent, clock_offset_ms FROM steelyard_store.agent_state FINAL) AS t ON t.agent = r.agent
    ) AS a ON a.agent = d.agent
${holders}    LEFT JOIN (SELECT device_id, ${gauges}, toNullable(ts) AS newest_ts FROM steelyard_store.live_device FINAL WHERE is_slow = 0) AS f ON f.device_id = d.device_id
) AS u
