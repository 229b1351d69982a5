-- each chip over the jobs that it ran in a window; a die or GCD has two rows: as the device that it is, and as its package
SELECT
    {window:String} AS window, fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AS from_ts,
    fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AS to_ts,
    vendor, chip, tupleElement(of, 1) AS part, origin,
    toUInt32(count()) AS jobs,
    sum(run_devices) / tupleElement(of, 2) AS units,
    toUInt32(any(chip_workloads)) AS workloads,
    sumIf(tokens, is_rated) / nullIf(sumIf(tokens_device_s, is_rated), 0) * tupleElement(of, 2) AS tokens_per_s,
    sum(flops_of_peak) / nullIf(sum(peak_flops), 0) AS mfu,
    any(mfu_basis) AS mfu_basis,
    sum(flops_of_ceiling) / nullIf(sum(ceiling_flops), 0) AS share_of_ceiling,
    sum(ofu_sum) / nullIf(sum(ofu_n), 0) AS ofu,
    if(sumIf(energy_wall_s, is_rated) >= 0.5 * sumIf(wall_s, is_rated),
        sumIf(energy_tokens, is_rated) / nullIf(sumIf(energy_j, is_rated AND energy_tokens IS NOT NULL), 0), NULL) AS tokens_per_j,
    -- prices of two currencies don't add up
    if(uniqExactIf(money, is_rated AND money != '') = 1, 1e6 * sumIf(cost, is_rated) / nullIf(sumIf(cost_tokens, is_rated), 0), NULL) AS cost_per_mtoken,
    if(cost_per_mtoken IS NULL, NULL, anyIf(money, is_rated AND money != '')) AS currency,
    if(sumIf(timed_steps, is_rated) > 0, (quantilesExactWeightedArrayMergeIf(0.5, 0.99)(step_times, is_rated) AS step_s)[1], NULL) AS step_p50_s,
    if(sumIf(timed_steps, is_rated) > 0, step_s[2], NULL) AS step_p99_s,
    if(sum(told_wall_s) > 0, least(1, sum(wall_device_s) / sum(told_wall_s)), NULL) AS goodput,
    fromUnixTimestamp64Milli({now_ms:Int64}, 'UTC') AS computed_at,
    anyIf(workload, is_rated) AS workload,
    sum(flops) / nullIf(sum(flops_device_s), 0) / 1e12 * tupleElement(of, 2) AS tflops
FROM
(
    -- workloads in one pot say nothing of a chip: its rates are of its only one, else of the one that most chips ran
    SELECT *, chip_workloads = 1 OR ifNull(workload = main, 0) AS is_rated
    FROM
    (
        SELECT *,
            -- a job whose workload isn't known is one of its own
            uniqExact(coalesce(workload, run)) OVER (PARTITION BY vendor, chip, device_part, origin) AS chip_workloads,
            argMax(workload, (workload IS NOT NULL, on_chips, workload_s, ifNull(workload, ''))) OVER (PARTITION BY origin) AS main
        FROM
        (
            SELECT *, uniqExactIf(chip, tokens_device_s > 0) OVER (PARTITION BY origin, workload) AS on_chips,
                sum(tokens_device_s) OVER (PARTITION BY origin, workload) AS workload_s
            FROM
            (
                SELECT
                    vendor, chip, part AS device_part, origin, run, workload, max(devices) AS run_devices, max(devices_per_package) AS devices_per_package,
                    sum(tokens) AS tokens, sum(tokens_device_s) AS tokens_device_s, sum(flops) AS flops, sum(flops_device_s) AS flops_device_s,
                    sum(flops_of_peak) AS flops_of_peak, sum(peak_flops) AS peak_flops,
                    sum(flops_of_ceiling) AS flops_of_ceiling, sum(ceiling_flops) AS ceiling_flops, any(mfu_basis) AS mfu_basis, sum(ofu_sum) AS ofu_sum, sum(ofu_n) AS ofu_n,
                    sum(energy_tokens) AS energy_tokens, sum(energy_j) AS energy_j, sum(energy_wall_s) AS energy_wall_s,
                    ifNull(any(currency), '') AS money, sum(cost) AS cost, sum(cost_tokens) AS cost_tokens, sum(wall_device_s) AS wall_device_s, sum(wall_s) AS wall_s, sum(told_wall_s) AS told_wall_s,
                    quantilesExactWeightedArrayState(0.5, 0.99)(step_bins_s, step_counts) AS step_times, sum(arraySum(step_counts)) AS timed_steps
                FROM steelyard.efficiency
                WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
                GROUP BY vendor, chip, device_part, origin, run, workload
            )
        )
    )
)
ARRAY JOIN if(devices_per_package > 1, [(toString(device_part), 1), ('package', toUInt8(devices_per_package))], [(toString(device_part), 1)]) AS of
GROUP BY vendor, chip, of, origin
ORDER BY vendor, chip, origin, tupleElement(of, 2)
