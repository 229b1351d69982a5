SELECT
    vendor, chip, part, origin, workload, device_s, tokens_per_s_device, tokens_per_j, cost_per_mtoken, money AS currency,
    quantileExactWeightedOrNullArray(0.5)(tupleElement(step_times, 1), tupleElement(step_times, 2)) AS step_p50_s,
    quantileExactWeightedOrNullArray(0.95)(tupleElement(step_times, 1), tupleElement(step_times, 2)) AS step_p95_s,
    quantileExactWeightedOrNullArray(0.99)(tupleElement(step_times, 1), tupleElement(step_times, 2)) AS step_p99_s
FROM
(
    SELECT
        vendor, chip, part, origin, workload,
        sum(tokens_device_s) AS device_s,
        sum(tokens) / nullIf(device_s, 0) AS tokens_per_s_device,
        -- below half of its time a sum of joules says nothing of the rest
        if(sum(energy_wall_s) >= 0.5 * sum(wall_s), sum(energy_tokens) / nullIf(sum(energy_j), 0), NULL) AS tokens_per_j,
        -- prices of two currencies don't add up
        if(uniqExact(currency) = 1, 1e6 * sum(cost) / nullIf(sum(cost_tokens), 0), NULL) AS cost_per_mtoken,
        if(cost_per_mtoken IS NULL, NULL, any(currency)) AS money,
        sumMap(step_bins_s, step_counts) AS step_times
    FROM efficiency
    WHERE level = '1m' AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND workload IS NOT NULL
    GROUP BY vendor, chip, part, origin, workload
)
GROUP BY ALL
