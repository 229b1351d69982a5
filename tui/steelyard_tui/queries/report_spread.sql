-- step_bins_s are the middles of bins of 1 %
SELECT
    vendor, chip, part, origin, workload, runs, tupleElement(step_times, 1) AS bins_s, tupleElement(step_times, 2) AS steps_in_bin, arraySum(steps_in_bin) AS steps,
    quantiles[1] AS p50_s, quantiles[2] AS p95_s, quantiles[3] AS p99_s, p99_s / p50_s AS tail
FROM
(
    SELECT
        vendor, chip, part, origin, workload, uniqExact(run) AS runs, sumMap(step_bins_s, step_counts) AS step_times,
        quantilesExactWeightedArray(0.5, 0.95, 0.99)(step_bins_s, step_counts) AS quantiles
    FROM efficiency
    WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
    GROUP BY vendor, chip, part, origin, workload
)
WHERE steps > 0
ORDER BY workload, vendor, chip, part, origin
