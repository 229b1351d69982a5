SELECT e.*, j.name AS name, j.user AS user
FROM
(
    SELECT
        run, vendor, chip, part, origin,
        any(job) AS job, any(workload) AS workload, max(devices) AS devices, max(nodes) AS nodes, max(tokens_origin) AS tokens_are,
        sum(wall_s) / 3600 AS device_h, sum(steps) AS all_steps, sum(tokens) AS all_tokens,
        sum(tokens) / nullIf(sum(tokens_device_s), 0) AS tokens_per_s,
        100 * sum(flops_of_peak) / nullIf(sum(peak_flops), 0) AS mfu_pct, any(mfu_basis) AS mfu_basis,
        if(mfu_pct IS NULL, any(mfu_absent), NULL) AS mfu_absent,
        100 * sum(ofu_sum) / nullIf(sum(ofu_n), 0) AS ofu_pct,
        if(sum(told_wall_s) > 0, 100 * least(1, sum(wall_device_s) / sum(told_wall_s)), NULL) AS goodput_pct,
        if(sum(energy_wall_s) > 0, sum(energy_j) / 3.6e6, NULL) AS energy_kwh,
        100 * sum(energy_wall_s) / nullIf(sum(wall_s), 0) AS energy_covered_pct,
        if(sum(energy_wall_s) >= 0.5 * sum(wall_s), sum(energy_tokens) / nullIf(sum(energy_j), 0), NULL) AS tokens_per_j
    FROM efficiency
    WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
    GROUP BY run, vendor, chip, part, origin
) AS e
LEFT JOIN (SELECT job, name, user FROM jobs) AS j ON j.job = e.job
ORDER BY e.device_h DESC, e.run, e.chip
