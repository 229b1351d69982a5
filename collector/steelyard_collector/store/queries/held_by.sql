        SELECT device_id, ${held_by} AS held_by
        FROM steelyard_store.live_job FINAL
        WHERE closed = 0 AND to_ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE
        GROUP BY device_id
