-- each chip over the jobs that it ran in a window; a die or GCD has two rows: as the device that it is, and as its package
SELECT
    {window:String} AS window, fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AS from_ts,
    fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AS to_ts,
    vendor, chip, tupleElement(of, 1) AS part, origin,
    toUInt32(count()) AS jobs,
    sum(run_devices) / tupleElement(of, 2) AS units,
    -- a job whose workload isn't known is one of its own
    toUInt32(uniqExact(coalesce(workload, run))) AS workloads,
    -- workloads in one pot say nothing of a chip
    if(workloads = 1, sum(tokens) / nullIf(sum(tokens_device_s), 0) * tupleElement(of, 2), NULL) AS tokens_per_s,
    sum(flops) / nullIf(sum(peak_flops), 0) AS mfu,
    any(mfu_basis) AS mfu_basis,
    sum(ofu_sum) / nullIf(sum(ofu_n), 0) AS ofu,
    if(workloads = 1 AND sum(energy_wall_s) >= 0.5 * sum(wall_s), sum(energy_tokens) / nullIf(sum(energy_j), 0), NULL) AS tokens_per_j,
    if(workloads = 1, 1e6 * sum(cost) / nullIf(sum(cost_tokens), 0), NULL) AS cost_per_mtoken,
    if(workloads = 1 AND sum(timed_steps) > 0, (quantilesExactWeightedArrayMerge(0.5, 0.99)(step_times) AS step_s)[1], NULL) AS step_p50_s,
    if(workloads = 1 AND sum(timed_steps) > 0, step_s[2], NULL) AS step_p99_s,
    least(1, sum(wall_device_s) / nullIf(sum(wall_s), 0)) AS goodput,
    fromUnixTimestamp64Milli({now_ms:Int64}, 'UTC') AS computed_at
FROM
(
    SELECT
        vendor, chip, part AS device_part, origin, run, workload, max(devices) AS run_devices, max(devices_per_package) AS devices_per_package,
        sum(tokens) AS tokens, sum(tokens_device_s) AS tokens_device_s, sum(flops) AS flops, sum(peak_flops) AS peak_flops,
        any(mfu_basis) AS mfu_basis, sum(ofu_sum) AS ofu_sum, sum(ofu_n) AS ofu_n,
        sum(energy_tokens) AS energy_tokens, sum(energy_j) AS energy_j, sum(energy_wall_s) AS energy_wall_s,
        sum(cost) AS cost, sum(cost_tokens) AS cost_tokens, sum(wall_device_s) AS wall_device_s, sum(wall_s) AS wall_s,
        quantilesExactWeightedArrayState(0.5, 0.99)(step_bins_s, step_counts) AS step_times, sum(arraySum(step_counts)) AS timed_steps
    FROM steelyard.efficiency
    WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
    GROUP BY vendor, chip, device_part, origin, run, workload
)
ARRAY JOIN if(devices_per_package > 1, [(toString(device_part), 1), ('package', toUInt8(devices_per_package))], [(toString(device_part), 1)]) AS of
GROUP BY vendor, chip, of, origin
ORDER BY vendor, chip, origin, tupleElement(of, 2)
