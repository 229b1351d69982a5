SELECT holder, host, pid, released, ver
FROM steelyard_store.collector_lock
WHERE name = 'collector'
ORDER BY ver DESC
LIMIT 1
