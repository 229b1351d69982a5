-- A sample without traffic has a minimum above its maximum.
WITH rates AS
(
    SELECT deviceId, 'sent' AS direction, 'posted' AS part, txPostAvg AS rate, txPostMin AS least, txPostMax AS most FROM PCIE
    UNION ALL SELECT deviceId, 'sent', 'non-posted', txNonpostAvg, txNonpostMin, txNonpostMax FROM PCIE
    UNION ALL SELECT deviceId, 'sent', 'completions', txCplAvg, txCplMin, txCplMax FROM PCIE
    UNION ALL SELECT deviceId, 'received', 'posted', rxPostAvg, rxPostMin, rxPostMax FROM PCIE
    UNION ALL SELECT deviceId, 'received', 'non-posted', rxNonpostAvg, rxNonpostMin, rxNonpostMax FROM PCIE
    UNION ALL SELECT deviceId, 'received', 'completions', rxCplAvg, rxCplMin, rxCplMax FROM PCIE
)
SELECT deviceId, direction, part, avg(rate), min(min(least, most)), max(most), count(*)
FROM rates
WHERE typeof(rate) IN ('integer', 'real') AND typeof(least) IN ('integer', 'real') AND typeof(most) IN ('integer', 'real')
    AND min(rate, least, most) >= 0
GROUP BY deviceId, direction, part
ORDER BY deviceId, direction DESC, part DESC
