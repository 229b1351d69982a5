INSERT INTO steelyard_store.roll_1m (device_id, bucket, n, last_ts, ${names}, ${counter_names}, core_active_hist, ver)
SELECT
    g.device_id AS device_id,
    g.bucket AS bucket,
    g.n AS n,
    g.last_ts AS last_ts,
    ${gauge_results},
    ${counter_results},
    g.core_active_hist AS core_active_hist,
    ${ver} AS ver
FROM
(
    SELECT
        device_id,
        toStartOfMinute(raw.ts) AS bucket,
        count() AS n,
        max(raw.ts) AS last_ts,
${figures},
        [${histogram}] AS core_active_hist
    FROM steelyard_store.raw_device AS raw
    WHERE ${devices} AND raw.ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC') AND raw.ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC')
    GROUP BY device_id, bucket
) AS g
INNER JOIN
(
    SELECT
        device_id,
        toStartOfMinute(w.ts) AS bucket,
${counter_figures}
    FROM
    (
        -- each counter beside the value before it, and how long before: what lies between two buckets belongs to the later one
        SELECT
            device_id,
            raw.ts AS ts,
${counter_steps}
        FROM steelyard_store.raw_device AS raw
        WHERE ${devices} AND raw.ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC')
            AND raw.ts >= fromUnixTimestamp64Milli(${slow_from_ms}, 'UTC')
            AND (raw.ts >= fromUnixTimestamp64Milli(${fast_from_ms}, 'UTC') OR ${has_slow_counter})
        WINDOW before AS (PARTITION BY device_id ORDER BY raw.ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) AS w
    WHERE w.ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC')
    GROUP BY device_id, bucket
) AS c ON c.device_id = g.device_id AND c.bucket = g.bucket
-- raw rows lie in this order: groups end one after another, and come out sorted
SETTINGS ${settings}, optimize_aggregation_in_order = 1
