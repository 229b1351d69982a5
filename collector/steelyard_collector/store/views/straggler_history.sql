-- a rank's time of being slow: what each look said of it, from the first to the newest
CREATE OR REPLACE VIEW steelyard.straggler_history ${on_cluster} AS
SELECT
    s.job AS job, s.rank AS rank, s.device_id AS device_id, d.uid AS uid, nullIf(a.node, '') AS node, d.vendor AS vendor, nullIf(d.chip, '') AS chip,
    d.origin AS origin, s.kind AS kind, s.cause AS cause, s.from_ts AS since, s.last_ts AS last_ts, s.looks AS looks,
    s.slow AS slow_ratio, s.slow_most AS slow_ratio_max, s.gain AS gain_ratio, s.peers AS ranks,
    nullIf(tupleElement(s.word, 1), '') AS profile, tupleElement(s.word, 2) AS confirmed, tupleElement(s.word, 3) AS profile_excess, nullIf(tupleElement(s.word, 4), '') AS confirmed_absent
FROM
(
    SELECT job, rank, device_id, kind, cause, min(since) AS from_ts, fromUnixTimestamp64Milli(toInt64(max(ver)), 'UTC') AS last_ts,
        count() AS looks, avg(slow_ratio) AS slow, max(slow_ratio) AS slow_most,
        -- a window that confirms the cause knows the gain better than the signal
        coalesce(avgOrNullIf(gain_ratio, confirmed = 1), avg(gain_ratio)) AS gain,
        argMax(ranks, ver) AS peers,
        argMax((profile, confirmed, profile_excess, confirmed_absent), ver) AS word
    FROM steelyard_store.straggler
    -- slowest by nature has no beginning of its own: it is told of the newest hour
    GROUP BY job, rank, device_id, kind, cause, if(kind = 'became slow', toUnixTimestamp64Milli(since), 0)
) AS s
INNER JOIN (SELECT device_id, agent, uid, vendor, chip, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = s.device_id
LEFT JOIN (SELECT agent, node FROM steelyard_store.agent FINAL) AS a ON a.agent = d.agent
