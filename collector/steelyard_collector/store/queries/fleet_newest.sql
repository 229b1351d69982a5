SELECT is_slow, device_id, ts, ver, ${gauges}, hbm_total_bytes FROM steelyard_store.live_device FINAL
