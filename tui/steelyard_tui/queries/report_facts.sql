SELECT
    origin, uniqExact(run) AS jobs, sum(wall_s) / 3600 AS device_h, sum(tokens) AS all_tokens,
    if(sum(told_wall_s) > 0, 100 * least(1, sum(wall_device_s) / sum(told_wall_s)), NULL) AS goodput_pct,
    if(sum(energy_wall_s) > 0, sum(energy_j) / 3.6e6, NULL) AS energy_kwh,
    100 * sum(energy_wall_s) / nullIf(sum(wall_s), 0) AS energy_covered_pct
FROM efficiency
WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY origin
ORDER BY origin
