WITH rates AS
(
    SELECT deviceId, 'sent' AS direction, txThroughput AS rate FROM HCCS
    UNION ALL SELECT deviceId, 'received', rxThroughput FROM HCCS
)
SELECT deviceId, direction, '', avg(rate), min(rate), max(rate), count(*)
FROM rates
WHERE typeof(rate) IN ('integer', 'real') AND rate >= 0
GROUP BY deviceId, direction
ORDER BY deviceId, direction DESC
