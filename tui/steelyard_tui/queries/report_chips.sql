-- where the allocated time and the energy of each chip's jobs went
SELECT
    vendor, chip, part, origin, uniqExact(run) AS jobs,
    sum(wall_s) / 3600 AS device_h,
    if(sum(told_wall_s) > 0, 100 * least(1, sum(wall_device_s) / sum(told_wall_s)), NULL) AS productive_pct,
    100 * sumIf(checkpoint_device_s, wall_s > 0) / nullIf(sum(told_wall_s), 0) AS checkpoint_pct,
    100 * sumIf(evaluate_device_s, wall_s > 0) / nullIf(sum(told_wall_s), 0) AS evaluate_pct,
    100 * sumIf(first_device_s, wall_s > 0) / nullIf(sum(told_wall_s), 0) AS first_steps_pct,
    if(sum(told_wall_s) > 0, greatest(0, 100 - productive_pct - checkpoint_pct - evaluate_pct - first_steps_pct), NULL) AS outside_steps_pct,
    if(sum(energy_wall_s) > 0, sum(energy_j) / 3.6e6, NULL) AS energy_kwh,
    100 * sum(energy_wall_s) / nullIf(sum(wall_s), 0) AS energy_covered_pct,
    sum(energy_j) / nullIf(sum(energy_wall_s), 0) AS power_w
FROM efficiency
WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY vendor, chip, part, origin
ORDER BY vendor, chip, part, origin
