SELECT toUnixTimestamp64Milli(greatest(
    (SELECT max(recorded) FROM steelyard_store.agent_state),
    (SELECT max(recorded) FROM steelyard_store.collector_state))) AS recorded_ms
