SELECT r.device_id AS device_id, r.minute AS minute
FROM
(
    SELECT device_id, intDiv(toUnixTimestamp64Milli(ts), 60000) AS minute, count() AS n
    FROM steelyard_store.raw_device
    WHERE ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC') AND ts < fromUnixTimestamp64Milli(${from_ms} + 3600000, 'UTC')
    GROUP BY device_id, minute
) AS r
LEFT JOIN
(
    SELECT device_id, intDiv(toUnixTimestamp(bucket), 60) AS minute, roll_1m.n AS n
    FROM steelyard_store.roll_1m FINAL
    WHERE bucket >= toDateTime(intDiv(${from_ms}, 1000), 'UTC') AND bucket < toDateTime(intDiv(${from_ms}, 1000) + 3600, 'UTC')
) AS m ON m.device_id = r.device_id AND m.minute = r.minute
WHERE r.n != m.n
ORDER BY minute, device_id
