-- One row per unit of memory and direction; `type` is read or write.
SELECT rate.deviceId, type.value, rate.hbmId, avg(rate.bandwidth), min(rate.bandwidth), max(rate.bandwidth), count(*)
FROM HBM AS rate
JOIN STRING_IDS AS type ON type.id = rate.type
WHERE typeof(rate.bandwidth) IN ('integer', 'real') AND rate.bandwidth >= 0 AND type.value IN ('read', 'write')
GROUP BY rate.deviceId, type.value, rate.hbmId
ORDER BY rate.deviceId, type.value, rate.hbmId
