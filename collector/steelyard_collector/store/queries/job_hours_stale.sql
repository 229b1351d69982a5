SELECT m.agent AS agent, m.hour AS hour
FROM
(
    SELECT job, any(agent) AS agent, intDiv(toUnixTimestamp(bucket), 3600) AS hour, max(ver) AS newest
    FROM steelyard_store.job_minute
    WHERE bucket >= toDateTime(intDiv(${from_ms}, 1000), 'UTC')
    GROUP BY job, hour
) AS m
LEFT JOIN
(
    SELECT job, intDiv(toUnixTimestamp(bucket), 3600) AS hour, max(ver) AS newest
    FROM steelyard_store.job_hour
    WHERE bucket >= toDateTime(intDiv(${from_ms}, 1000) - 3600, 'UTC')
    GROUP BY job, hour
) AS h ON h.job = m.job AND h.hour = m.hour
WHERE h.newest < m.newest
ORDER BY hour, agent
