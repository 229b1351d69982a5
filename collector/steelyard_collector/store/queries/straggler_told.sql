-- when each rank of these jobs was first told to be slow, by cause and kind; slowest by nature has no beginning of its own
SELECT job, device_id, cause, kind, if(kind = 'became slow', toUnixTimestamp64Milli(since), 0) AS since_ms, min(ver) AS told_ms
FROM steelyard_store.straggler
WHERE job IN (${jobs})
GROUP BY job, device_id, cause, kind, since_ms
