-- windows of a job's devices, in shares of their time. Collectives are those that nothing hid, by kind; sends and receives
-- between pipeline stages have no group. A window of which the parts aren't there yet doesn't count yet
SELECT p.device_id AS device_id, toUnixTimestamp64Milli(p.ts) AS ts_ms, p.id AS profile, p.profiler AS profiler,
    p.compute_ns / p.window_ns AS compute, p.idle_ns / p.window_ns AS idle, r.kinds AS kinds, arrayMap(ns -> ns / p.window_ns, r.ns) AS shares
FROM
(
    SELECT assumeNotNull(device_id) AS device_id, ts, id, profiler, compute_ns, idle_ns, window_ns
    FROM steelyard_store.profile FINAL
    WHERE job = ${job} AND ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC') AND ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC')
        AND device_id IN (${devices}) AND state = 'stored' AND devices > 0 AND window_ns > 0 AND compute_ns IS NOT NULL AND idle_ns IS NOT NULL
) AS p
INNER JOIN
(
    SELECT profile, groupArrayIf(name, layer = 'communication' AND name != 'p2p') AS kinds,
        groupArrayIf(total_ns, layer = 'communication' AND name != 'p2p') AS ns
    FROM steelyard_store.profile_row
    WHERE job = ${job} AND ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC') AND ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC') AND by = 'part'
    GROUP BY profile
) AS r ON r.profile = p.id
ORDER BY ts_ms
