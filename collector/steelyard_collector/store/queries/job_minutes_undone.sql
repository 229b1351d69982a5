SELECT s.agent AS agent, s.minute AS minute
FROM
(
    SELECT agent, intDiv(toUnixTimestamp64Milli(ts), 60000) AS minute, count() AS n
    FROM steelyard_store.step
    WHERE toDate(ts) IN (${days})
    GROUP BY agent, minute
) AS s
LEFT JOIN
(
    SELECT agent, intDiv(toUnixTimestamp(bucket), 60) AS minute, sum(job_minute.n) AS n
    FROM steelyard_store.job_minute FINAL
    WHERE toDate(bucket) IN (${days})
    GROUP BY agent, minute
) AS m ON m.agent = s.agent AND m.minute = s.minute
WHERE s.n != m.n
ORDER BY minute, agent
