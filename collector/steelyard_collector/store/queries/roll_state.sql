SELECT toUnixTimestamp64Milli(max(recorded)) AS ver FROM steelyard_store.roll_state
