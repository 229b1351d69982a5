WITH rates AS (SELECT deviceId, 'read' AS direction, read AS rate FROM DDR UNION ALL SELECT deviceId, 'write', write FROM DDR)
SELECT deviceId, direction, '', avg(rate), min(rate), max(rate), count(*)
FROM rates
WHERE typeof(rate) IN ('integer', 'real') AND rate >= 0
GROUP BY deviceId, direction
ORDER BY deviceId, direction
