-- each counter's last value before some minutes; those of the slow class come once a minute
SELECT device_id${figures}
FROM steelyard_store.raw_device AS raw
WHERE ${devices} AND raw.ts < fromUnixTimestamp64Milli(${from_ms}, 'UTC')
    AND raw.ts >= fromUnixTimestamp64Milli(${slow_from_ms}, 'UTC')
    AND (raw.ts >= fromUnixTimestamp64Milli(${fast_from_ms}, 'UTC') OR ${has_slow_counter})
GROUP BY device_id
ORDER BY device_id
SETTINGS ${settings}
