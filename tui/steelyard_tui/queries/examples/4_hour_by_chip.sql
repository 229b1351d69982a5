-- The last hour by chip, minute by minute
SELECT toStartOfMinute(ts) AS minute, chip, round(100 * avg(core_active), 1) AS core_pct, round(avg(power_w)) AS w_per_device
FROM device_history
WHERE level = '1m' AND ts > now() - INTERVAL 1 HOUR
GROUP BY minute, chip
ORDER BY minute, chip
