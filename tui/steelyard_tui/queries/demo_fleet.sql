SELECT
    vendor, ifNull(chip, if(vendor = 'cpu', 'CPU', NULL)) AS chip, part, origin, nodes, reporting, jobs,
    round(100 * busy) AS `busy %`, round(100 * core_active) AS `core %`, round(100 * tensor_active) AS `tensor %`,
    round(power_total_w) AS `power W`
FROM fleet_live
ORDER BY vendor, chip, part, origin
