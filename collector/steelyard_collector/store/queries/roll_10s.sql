INSERT INTO steelyard_store.roll_10s (device_id, bucket, n, last_ts, ${names}, ver)
SELECT
    device_id,
    toStartOfInterval(raw.ts, INTERVAL 10 SECOND) AS bucket,
    count() AS n,
    max(raw.ts) AS last_ts,
${figures},
    ${ver} AS ver
FROM steelyard_store.raw_device AS raw
WHERE ${devices} AND raw.ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC') AND raw.ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC')
GROUP BY device_id, bucket
SETTINGS ${settings}
