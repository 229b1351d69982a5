-- closed hours, and the minutes of the hours that aren't rolled up yet; totals over totals
SELECT
    e.vendor AS vendor, e.chip AS chip, e.part AS part, max(e.devices) AS devices, sum(e.steps) AS steps, sum(e.tokens) AS tokens,
    sum(e.tokens) / nullIf(sum(e.tokens_device_s), 0) AS tokens_per_s_device,
    sum(e.wall_tokens) / nullIf(sum(e.wall_s), 0) AS wall_tokens_per_s_device,
    sum(e.flops) / nullIf(sum(e.flops_device_s), 0) / 1e12 AS tflops_per_device,
    sum(e.flops_of_peak) / nullIf(sum(e.peak_flops), 0) AS mfu,
    anyIf(e.mfu_basis, e.mfu_basis IS NOT NULL) AS mfu_basis,
    -- of the times that have tokens, if any has
    if(sum(e.peak_flops) > 0, NULL, coalesce(maxOrNullIf(e.mfu_absent, e.tokens IS NOT NULL), max(e.mfu_absent))) AS mfu_absent,
    sum(e.ofu_sum) / nullIf(sum(e.ofu_n), 0) AS ofu,
    min(e.ofu_validated) AS ofu_validated,
    if(sum(e.ofu_n) > 0, NULL, max(e.ofu_absent)) AS ofu_absent,
    if(sum(e.energy_wall_s) >= 0.5 * sum(e.wall_s), sum(e.energy_tokens) / nullIf(sum(e.energy_j), 0), NULL) AS tokens_per_j,
    if(sum(e.energy_wall_s) > 0, sum(e.energy_j), NULL) AS energy_j,
    sum(e.energy_wall_s) / nullIf(sum(e.wall_s), 0) AS energy_coverage,
    sum(e.cost) / nullIf(sum(e.cost_tokens), 0) * 1e6 AS cost_per_mtoken,
    if(sum(e.cost_tokens) > 0, any(e.currency), NULL) AS currency
FROM
(
    SELECT *, countIf(level = '1h') OVER (PARTITION BY vendor, chip, part, toStartOfHour(ts)) AS hours
    FROM efficiency
    WHERE job = {job:String} AND (level = '1h' OR ts >= toStartOfHour(now() - INTERVAL 2 HOUR))
) AS e
WHERE e.level = '1h' OR e.hours = 0
GROUP BY vendor, chip, part
ORDER BY vendor, chip, part
