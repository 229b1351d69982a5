SELECT toUnixTimestamp(toDateTime(day, 'UTC')) * 1000 AS day_ms, toUnixTimestamp64Milli(max(until)) AS until_ms
FROM steelyard_store.dropped_day
GROUP BY day
