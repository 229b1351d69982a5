-- Devices that a job holds but hardly uses
SELECT node, device_index, chip, job, round(100 * busy, 1) AS busy_pct, round(power_w) AS watts, origin
FROM devices
WHERE job IS NOT NULL AND busy < 0.2
ORDER BY busy
LIMIT 100
