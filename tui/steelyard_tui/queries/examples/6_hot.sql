-- The hottest devices
SELECT node, device_index, chip, round(chip_temp_c, 1) AS temp_c, round(core_clock_mhz) AS mhz, round(power_w) AS watts
FROM devices
WHERE chip_temp_c IS NOT NULL
ORDER BY chip_temp_c DESC
LIMIT 20
