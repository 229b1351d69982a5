CREATE OR REPLACE VIEW steelyard.fleet_live ${on_cluster} AS
-- out of the sums of each agent's devices
SELECT
    g.vendor AS vendor,
    nullIf(g.chip, '') AS chip,
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
        s.vendor AS vendor, s.chip AS chip, s.part AS part, s.origin AS origin,
        uniqExact(s.agent) AS nodes,
        sum(length(s.devices)) AS devices,
        sumIf(length(s.devices), s.state = 'live') AS reporting,
        sumIf(length(s.devices), s.state = 'stale') AS stale,
        uniqExactArrayIf(if(hasAll(s.devices, s.held), s.held_by, arrayFilter((job, device) -> has(s.devices, device), s.held_by, s.held)), s.state != 'silent') AS jobs,
        sumForEachIf(s.sums, s.state = 'live') AS live_sums,
        sumForEachIf(s.counts, s.state = 'live') AS live_counts,
${fleet_means}
    FROM
    (
        SELECT u.*, ${state} AS state
        FROM
        (
            SELECT
                f.agent AS agent, f.vendor AS vendor, f.chip AS chip, f.part AS part, f.origin AS origin,
                f.devices AS devices, f.sums AS sums, f.counts AS counts, j.held AS held, j.held_by AS held_by,
                ${window_ms} AS window_ms,
                ${age_s} AS age_s
            FROM
            (
                SELECT agent, vendor, chip, part, origin, devices, sums, counts, nullIf(ts, toDateTime64(0, 3, 'UTC')) AS newest_ts
                FROM steelyard_store.live_fleet FINAL
                ARRAY JOIN vendor, chip, part, origin, ts, devices, sums, counts
            ) AS f
            LEFT JOIN (SELECT agent, clock_offset_ms AS offset_ms FROM steelyard_store.agent_state FINAL) AS a ON a.agent = f.agent
            LEFT JOIN
            (
                SELECT h.agent AS agent, groupArray(h.device_id) AS held, groupArray(h.held_by) AS held_by
                FROM
                (
${held_by_of_agent}
                ) AS h
                GROUP BY h.agent
            ) AS j ON j.agent = f.agent
        ) AS u
    ) AS s
    GROUP BY vendor, chip, part, origin
) AS g
LEFT JOIN
(
    SELECT name, per, dies, bf16_tflops AS peak, toNullable(basis) AS basis FROM steelyard_store.chip FINAL
) AS c ON c.name = g.chip
