SELECT
    vendor, chip, part, origin,
    count() AS jobs,
    sum(run_devices) AS devices,
    -- workloads in one pot say nothing of a chip
    if(uniqExact(workload) = 1, sum(tokens) / nullIf(sum(tokens_device_s), 0), NULL) AS `tokens/s`,
    round(100 * sum(flops) / nullIf(sum(peak_flops), 0), 1) AS `MFU %`,
    any(mfu_basis) AS `of peak`,
    round(100 * sum(ofu_sum) / nullIf(sum(ofu_n), 0), 1) AS `OFU %`,
    if(uniqExact(workload) = 1 AND sum(energy_wall_s) >= 0.5 * sum(wall_s), sum(energy_tokens) / nullIf(sum(energy_j), 0), NULL) AS `tokens/J`,
    if(uniqExact(workload) = 1, 1e6 * sum(cost) / nullIf(sum(cost_tokens), 0), NULL) AS `cost/Mtoken`,
    round(100 * sum(wall_device_s) / nullIf(sum(wall_s), 0), 1) AS `goodput %`
FROM
(
    SELECT
        vendor, chip, part, origin, run, workload, max(devices) AS run_devices,
        sum(tokens) AS tokens, sum(tokens_device_s) AS tokens_device_s, sum(flops) AS flops, sum(peak_flops) AS peak_flops,
        any(mfu_basis) AS mfu_basis, sum(ofu_sum) AS ofu_sum, sum(ofu_n) AS ofu_n,
        sum(energy_tokens) AS energy_tokens, sum(energy_j) AS energy_j, sum(energy_wall_s) AS energy_wall_s,
        sum(cost) AS cost, sum(cost_tokens) AS cost_tokens, sum(wall_device_s) AS wall_device_s, sum(wall_s) AS wall_s
    FROM efficiency
    WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
    GROUP BY vendor, chip, part, origin, run, workload
)
GROUP BY vendor, chip, part, origin
ORDER BY vendor, chip, part, origin
