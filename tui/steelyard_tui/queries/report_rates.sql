-- tokens/s of each workload apart: rates of unlike jobs are no rate of a chip
SELECT
    vendor, chip, part, origin, workload, intDiv(toUnixTimestamp64Milli(ts), {step_ms:Int64}) * {step_ms:Int64} AS at_ms,
    sum(tokens) / nullIf(sum(tokens_device_s), 0) AS rate, sum(tokens_device_s) AS device_s
FROM efficiency
WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
    AND workload IS NOT NULL
GROUP BY vendor, chip, part, origin, workload, at_ms
HAVING rate IS NOT NULL
ORDER BY vendor, chip, part, origin, workload, at_ms
