SELECT by, name, class, sum(if(by = 'call', self_ns, total_ns)) AS ns
FROM ops
WHERE job = {job:String} AND by IN ('operator', 'call')
    AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts <= fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY by, name, class
HAVING ns > 0
ORDER BY ns DESC
LIMIT 3 BY by, class
