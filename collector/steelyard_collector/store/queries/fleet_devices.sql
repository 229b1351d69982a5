SELECT device_id, agent, vendor, chip, part, origin, memory_bytes FROM steelyard_store.device FINAL
