SELECT toUnixTimestamp(ifNull(r.hour, m.hour)) * 1000 AS hour_ms
FROM
(
    SELECT toNullable(toStartOfHour(ts)) AS hour, count() AS n
    FROM steelyard_store.raw_device
    WHERE toDate(ts) IN (${days})
    GROUP BY hour
) AS r
LEFT JOIN
(
    SELECT toNullable(toStartOfHour(bucket)) AS hour, sum(roll_1m.n) AS n
    FROM steelyard_store.roll_1m FINAL
    WHERE toDate(bucket) IN (${days})
    GROUP BY hour
) AS m ON m.hour = r.hour
WHERE r.n != m.n
ORDER BY hour_ms
