-- Chips side by side, now
SELECT vendor, chip, part, origin, reporting, devices,
       round(100 * core_active, 1) AS core_pct,
       round(100 * tensor_active, 1) AS tensor_pct,
       round(power_w) AS w_per_device
FROM fleet_live
ORDER BY core_active DESC
