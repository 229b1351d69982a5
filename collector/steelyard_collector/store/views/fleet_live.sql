CREATE OR REPLACE VIEW steelyard.fleet_live ${on_cluster} AS
SELECT
    g.vendor AS vendor,
    g.chip AS chip,
    g.part AS part,
    g.origin AS origin,
    g.nodes AS nodes,
    g.devices AS devices,
    g.reporting AS reporting,
    g.stale AS stale,
    g.jobs AS jobs,
    g.busy AS busy,
    g.core_active AS core_active,
    g.tensor_active AS tensor_active,
    g.hbm_bw_active AS hbm_bw_active,
    g.core_clock_mhz AS core_clock_mhz,
    g.chip_temp_c AS chip_temp_c,
    g.power_w AS power_w,
    g.hbm_used_ratio AS hbm_used_ratio,
    g.power_total_w AS power_total_w,
    -- of one device: a die's share of its package's peak where the table gives the package's
    multiIf(c.per = g.part, c.peak, c.per = 'package', c.peak / nullIf(c.dies, 0), NULL) AS bf16_tflops,
    if(bf16_tflops IS NULL, NULL, c.basis) AS peak_basis
FROM
(
    SELECT
        v.vendor AS vendor,
        nullIf(v.chip, '') AS chip,
        v.part AS part,
        v.origin AS origin,
        uniqExact(v.agent) AS nodes,
        count() AS devices,
        countIf(v.state = 'live') AS reporting,
        countIf(v.state = 'stale') AS stale,
        uniqExactIf(v.job, v.state != 'silent') AS jobs,
        avgIf(v.busy, v.state = 'live') AS busy,
        avgIf(v.core_active, v.state = 'live') AS core_active,
        avgIf(v.tensor_active, v.state = 'live') AS tensor_active,
        avgIf(v.hbm_bw_active, v.state = 'live') AS hbm_bw_active,
        avgIf(v.core_clock_mhz, v.state = 'live') AS core_clock_mhz,
        avgIf(v.chip_temp_c, v.state = 'live') AS chip_temp_c,
        avgIf(v.power_w, v.state = 'live') AS power_w,
        avgIf(v.hbm_used_bytes / nullIf(${hbm_total_bytes}, 0), v.state = 'live') AS hbm_used_ratio,
        sumIf(v.power_w, v.state = 'live') AS power_total_w
    FROM
    (
${newest_of_device}
    ) AS v
    GROUP BY vendor, chip, part, origin
) AS g
LEFT JOIN
(
    SELECT name, per, dies, bf16_tflops AS peak, toNullable(basis) AS basis FROM steelyard_store.chip FINAL
) AS c ON c.name = g.chip
