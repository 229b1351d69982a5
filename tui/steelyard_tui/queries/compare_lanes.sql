SELECT
    vendor, chip, part, origin, toUnixTimestamp64Milli(ts) AS at_ms,
    sum(tokens) / nullIf(sum(tokens_device_s), 0) AS m0, m0 AS l0, m0 AS h0
FROM efficiency
WHERE level = '1m' AND workload = {workload:String}
    AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts <= fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY vendor, chip, part, origin, ts
ORDER BY vendor, chip, part, origin, at_ms
