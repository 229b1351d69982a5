-- shard by agent
CREATE TABLE IF NOT EXISTS steelyard_store.agent_state${local} ${on_cluster}
(
    agent UInt32,
    connected UInt8,
    clock_offset_ms Nullable(Float64),
    flush_ms UInt32,
    last_ts Nullable(DateTime64(3, 'UTC')),
    recorded DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY agent
