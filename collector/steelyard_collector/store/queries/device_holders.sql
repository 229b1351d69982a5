    LEFT JOIN
    (
        SELECT device_id, toNullable(argMax(job, from_ts)) AS held_by
        FROM steelyard_store.live_job FINAL
        WHERE closed = 0 AND to_ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE
        GROUP BY device_id
    ) AS j ON j.device_id = d.device_id
    LEFT JOIN
    (
        SELECT device_id, hbm_total_bytes AS told_bytes FROM steelyard_store.live_device FINAL WHERE is_slow = 1
    ) AS s ON s.device_id = d.device_id
