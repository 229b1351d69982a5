-- One row per port and direction.
WITH rates AS
(
    SELECT deviceId, 'sent' AS direction, funcId, txByteRate AS rate FROM ROCE
    UNION ALL SELECT deviceId, 'received', funcId, rxByteRate FROM ROCE
)
SELECT deviceId, direction, funcId, avg(rate), min(rate), max(rate), count(*)
FROM rates
WHERE typeof(rate) IN ('integer', 'real') AND rate >= 0
GROUP BY deviceId, direction, funcId
ORDER BY deviceId, direction DESC, funcId
