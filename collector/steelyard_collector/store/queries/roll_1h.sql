INSERT INTO steelyard_store.roll_1h (device_id, bucket, n, last_ts, ${names}, ${counter_names}, core_active_hist, ver)
SELECT
    device_id,
    toStartOfHour(m.bucket) AS bucket,
    sum(m.n) AS n,
    max(m.last_ts) AS last_ts,
${figures},
${counter_figures},
    sumForEach(m.core_active_hist) AS core_active_hist,
    ${ver} AS ver
FROM (SELECT * FROM steelyard_store.roll_1m FINAL WHERE ${devices} AND bucket >= ${from_s} AND bucket < ${to_s}) AS m
GROUP BY device_id, toStartOfHour(m.bucket)
SETTINGS ${settings}
