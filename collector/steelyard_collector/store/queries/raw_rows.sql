SELECT device_id, raw.ts AS ts${names}
FROM steelyard_store.raw_device AS raw
WHERE ${devices} AND raw.ts >= fromUnixTimestamp64Milli(${from_ms}, 'UTC') AND raw.ts < fromUnixTimestamp64Milli(${to_ms}, 'UTC')
-- they lie so: no sort
ORDER BY device_id, raw.ts
SETTINGS ${settings}
