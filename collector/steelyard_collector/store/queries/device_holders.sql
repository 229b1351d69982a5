    LEFT JOIN
    (
${held_by}
    ) AS j ON j.device_id = d.device_id
    LEFT JOIN
    (
        SELECT device_id, hbm_total_bytes AS told_bytes FROM steelyard_store.live_device FINAL WHERE is_slow = 1
    ) AS s ON s.device_id = d.device_id
