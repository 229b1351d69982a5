SELECT is_paused, toUnixTimestamp64Milli(since) AS since_ms, reason, toUnixTimestamp64Milli(recorded) AS recorded_ms
FROM steelyard_store.profile_pause FINAL
