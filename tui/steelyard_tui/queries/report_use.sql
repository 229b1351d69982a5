SELECT
    vendor, chip, part, origin, intDiv(toUnixTimestamp64Milli(ts), {step_ms:Int64}) * {step_ms:Int64} AS at_ms,
    100 * sum(flops_of_peak) / nullIf(sum(peak_flops), 0) AS mfu_pct,
    100 * sum(ofu_sum) / nullIf(sum(ofu_n), 0) AS ofu_pct, min(ofu_validated) AS ofu_validated
FROM efficiency
WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY vendor, chip, part, origin, at_ms
ORDER BY vendor, chip, part, origin, at_ms
