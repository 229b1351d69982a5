-- whose steps or held devices lie in this time
SELECT DISTINCT agent
FROM steelyard_store.step
WHERE ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC') AND ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC')
UNION DISTINCT
SELECT DISTINCT agent
FROM steelyard_store.job_interval
WHERE from_ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC') AND to_ts > fromUnixTimestamp64Milli(${from_ms}, 'UTC')
