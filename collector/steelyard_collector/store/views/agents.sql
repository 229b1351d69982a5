CREATE OR REPLACE VIEW steelyard.agents ${on_cluster} AS
SELECT
    a.agent AS agent,
    a.agent_id AS agent_id,
    a.node AS node,
    a.version AS version,
    a.origin AS origin,
    a.epoch AS epoch,
    ifNull(t.connected, 0) = 1 AS connected,
    coalesce(t.last_ts, a.last_seen) AS last_seen,
    if(t.last_ts IS NULL, NULL, greatest(0, (toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(t.last_ts) + ifNull(t.clock_offset_ms, 0)) / 1000)) AS age_s,
    t.clock_offset_ms AS clock_offset_ms,
    nullIf(t.flush_ms, 0) AS flush_ms,
${agent_metrics},
    ifNull(g.lost, 0) AS lost_messages
FROM (SELECT * FROM steelyard_store.agent FINAL) AS a
LEFT JOIN (SELECT agent, toNullable(connected) AS connected, clock_offset_ms, toNullable(flush_ms) AS flush_ms, last_ts FROM steelyard_store.agent_state FINAL) AS t ON t.agent = a.agent
LEFT JOIN
(
    SELECT
        agent,
${newest_agent_metrics}
    FROM steelyard_store.raw_agent
    WHERE ts >= now64(3, 'UTC') - INTERVAL 5 MINUTE
    GROUP BY agent
) AS m ON m.agent = a.agent
LEFT JOIN (SELECT agent, sum(seq_to - seq_from + 1) AS lost FROM steelyard_store.gap FINAL GROUP BY agent) AS g ON g.agent = a.agent
