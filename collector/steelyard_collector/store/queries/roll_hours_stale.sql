SELECT m.device_id AS device_id, m.hour AS hour
FROM
(
    SELECT device_id, intDiv(toUnixTimestamp(bucket), 3600) AS hour, max(ver) AS newest
    FROM steelyard_store.roll_1m
    WHERE bucket >= toDateTime(intDiv(${from_ms}, 1000), 'UTC')
    GROUP BY device_id, hour
) AS m
LEFT JOIN
(
    SELECT device_id, intDiv(toUnixTimestamp(bucket), 3600) AS hour, max(ver) AS newest
    FROM steelyard_store.roll_1h
    WHERE bucket >= toDateTime(intDiv(${from_ms}, 1000) - 3600, 'UTC')
    GROUP BY device_id, hour
) AS h ON h.device_id = m.device_id AND h.hour = m.hour
WHERE h.newest < m.newest
ORDER BY hour, device_id
