-- what may have been under way when the last process ended: steps that were rolled up without their energy or allocation
SELECT DISTINCT agent, toUInt64(intDiv(toUnixTimestamp64Milli(ts), 60000)) AS minute
FROM steelyard_store.step
WHERE ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC')
UNION DISTINCT
SELECT agent, arrayJoin(range(
    toUInt64(intDiv(greatest(toUnixTimestamp64Milli(from_ts), ${from_ms}), 60000)), toUInt64(intDiv(toUnixTimestamp64Milli(to_ts), 60000) + 1))) AS minute
FROM steelyard_store.job_interval FINAL
WHERE to_ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC')
