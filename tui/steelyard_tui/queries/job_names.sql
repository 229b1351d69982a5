-- the newest first
SELECT job, max(to_ts) AS last_seen
FROM job_devices
WHERE job != ''
GROUP BY job
ORDER BY last_seen DESC
LIMIT 2000
