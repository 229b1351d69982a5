-- shard by agent
-- paths of calls, from the outermost; those of one job's windows are alike and lie side by side
CREATE TABLE IF NOT EXISTS steelyard_store.stack${local} ${on_cluster}
(
    agent UInt32 CODEC(ZSTD(1)),
    device_id Nullable(UInt32) CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    profile String CODEC(ZSTD(1)),
    job LowCardinality(String),
    rank Nullable(Int32) CODEC(ZSTD(1)),
    kind LowCardinality(String),
    frames Array(LowCardinality(String)) CODEC(ZSTD(1)),
    duration_ns Nullable(UInt64) CODEC(ZSTD(1)),
    samples Nullable(UInt64) CODEC(ZSTD(1)),
    waits LowCardinality(String),
    thread LowCardinality(String),
    INDEX by_profile profile TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(ts)
ORDER BY (job, ts, profile, kind, frames)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
