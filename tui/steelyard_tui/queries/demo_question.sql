SELECT
    ifNull(chip, if(vendor = 'cpu', 'CPU', NULL)) AS chip, origin, count() AS samples, uniqExact(device_id) AS devices,
    round(avg(power_w), 1) AS `mean W`, round(100 * avg(busy), 1) AS `mean busy %`
FROM device_history
WHERE level = 'raw' AND ts > now() - INTERVAL 1 MINUTE
GROUP BY vendor, chip, origin
ORDER BY chip
