-- of the job's nodes and of its own devices, while it ran and shortly after; the worst first
SELECT ts, severity, node, device_id, chip, code, text, source
FROM events
WHERE ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts <= fromUnixTimestamp64Milli({to_ms:Int64})
    AND node IN (SELECT node FROM job_devices WHERE job = {job:String})
    AND (device_id IS NULL OR device_id IN (SELECT device_id FROM job_devices WHERE job = {job:String}))
ORDER BY transform(severity, ['error', 'warning'], [0, 1], 2), ts DESC
LIMIT 200
