SELECT toUInt64(max(ver)) AS ver FROM steelyard_store.live_fleet
