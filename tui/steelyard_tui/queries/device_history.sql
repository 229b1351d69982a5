SELECT
    intDiv(toUnixTimestamp64Milli(toDateTime64(ts, 3)), {step_ms:Int64}) * {step_ms:Int64} AS at_ms,
    /*figures*/
FROM device_history
WHERE device_id = {device:UInt32} AND level = {level:String}
    AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts <= fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY at_ms
ORDER BY at_ms
