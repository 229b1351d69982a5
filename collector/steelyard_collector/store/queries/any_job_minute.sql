SELECT 1 FROM steelyard_store.job_minute WHERE bucket >= fromUnixTimestamp(${from_s}) LIMIT 1
