-- Jobs by the power that their devices draw
SELECT job, user, chips, devices, round(power_w / 1000, 2) AS kw, round(100 * core_active, 1) AS core_pct
FROM jobs
WHERE state = 'running'
ORDER BY power_w DESC
