SELECT profile, layer, class, sum(duration_ns) AS ns
FROM step_split
WHERE job = {job:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts <= fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY profile, layer, class
