-- the histograms have bins of 1 %: bin n begins at 1.01 to the n seconds
SELECT
    vendor, chip, part, origin, workload, runs, bins, steps_in_bin, up_to[-1] AS steps,
    arrayMap(p -> exp((bins[arrayFirstIndex(n -> n >= p * up_to[-1], up_to)] + 0.5) * log(1.01)), [0.5, 0.95, 0.99]) AS quantiles,
    quantiles[1] AS p50_s, quantiles[2] AS p95_s, quantiles[3] AS p99_s, p99_s / p50_s AS tail
FROM
(
    SELECT
        vendor, chip, part, origin, workload, uniqExact(run) AS runs,
        sumMap(step_hist) AS hist, mapKeys(hist) AS bins, mapValues(hist) AS steps_in_bin, arrayCumSum(steps_in_bin) AS up_to
    FROM efficiency
    WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
    GROUP BY vendor, chip, part, origin, workload
)
WHERE notEmpty(bins)
ORDER BY workload, vendor, chip, part, origin
