SELECT node, kind, from_ts, to_ts, reason, recorded
FROM gaps
WHERE node IN (SELECT node FROM job_devices WHERE job = {job:String})
    AND coalesce(to_ts, recorded) >= fromUnixTimestamp64Milli({from_ms:Int64}) AND coalesce(from_ts, recorded) <= fromUnixTimestamp64Milli({to_ms:Int64})
ORDER BY recorded DESC
LIMIT 50
