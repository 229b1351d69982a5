SELECT * FROM steelyard_store.device FINAL ORDER BY device_id
