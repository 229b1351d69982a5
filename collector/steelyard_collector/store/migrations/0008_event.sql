-- shard by agent
-- agent 0, epoch 0 and seq 0 are the collector itself
CREATE TABLE IF NOT EXISTS steelyard_store.event${local} ${on_cluster}
(
    agent UInt32,
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    device_id Nullable(UInt32),
    severity LowCardinality(String),
    code LowCardinality(String),
    text String CODEC(ZSTD(1)),
    source LowCardinality(String)
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(ts)
ORDER BY (agent, ts)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
