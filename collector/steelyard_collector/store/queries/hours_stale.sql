SELECT m.who AS who, m.hour AS hour
FROM
(
    SELECT ${key} AS of, any(${who}) AS who, intDiv(toUnixTimestamp(bucket), 3600) AS hour, max(ver) AS newest
    FROM steelyard_store.${minutes}
    WHERE bucket >= toDateTime(intDiv(${from_ms}, 1000), 'UTC')
    GROUP BY of, hour
) AS m
LEFT JOIN
(
    SELECT ${key} AS of, intDiv(toUnixTimestamp(bucket), 3600) AS hour, max(ver) AS newest
    FROM steelyard_store.${hours}
    WHERE bucket >= toDateTime(intDiv(${from_ms}, 1000) - 3600, 'UTC')
    GROUP BY of, hour
) AS h ON h.of = m.of AND h.hour = m.hour
WHERE h.newest < m.newest
ORDER BY hour, who
