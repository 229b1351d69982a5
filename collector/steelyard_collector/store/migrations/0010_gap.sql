-- shard by agent
CREATE TABLE IF NOT EXISTS steelyard_store.gap${local} ${on_cluster}
(
    agent UInt32,
    epoch UInt32,
    kind UInt8,
    seq_from UInt64,
    seq_to UInt64,
    from_ts Nullable(DateTime64(3, 'UTC')),
    to_ts Nullable(DateTime64(3, 'UTC')),
    reason LowCardinality(String),
    recorded DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY (agent, epoch, kind, seq_from)
SETTINGS non_replicated_deduplication_window = 1000
