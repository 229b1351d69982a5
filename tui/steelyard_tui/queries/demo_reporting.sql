SELECT origin, toUInt32(sum(reporting)) AS reporting
FROM fleet_live
GROUP BY origin
