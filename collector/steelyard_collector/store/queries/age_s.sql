if(f.newest_ts IS NULL, NULL, greatest(0, (toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(f.newest_ts) + ifNull(a.offset_ms, 0)) / 1000))
