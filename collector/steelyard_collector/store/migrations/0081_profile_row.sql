-- shard by agent
-- by job first: windows of one job have the same names in the same order, and are asked for together
CREATE TABLE IF NOT EXISTS steelyard_store.profile_row${local} ${on_cluster}
(
    agent UInt32 CODEC(ZSTD(1)),
    device_id Nullable(UInt32) CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    profile String CODEC(ZSTD(1)),
    job LowCardinality(String),
    rank Nullable(Int32) CODEC(ZSTD(1)),
    by LowCardinality(String),
    layer LowCardinality(String),
    name LowCardinality(String),
    class_name LowCardinality(String),
    core LowCardinality(String),
    count UInt64 CODEC(ZSTD(1)),
    total_ns UInt64 CODEC(ZSTD(1)),
    self_ns Nullable(UInt64) CODEC(ZSTD(1)),
    min_ns Nullable(UInt64) CODEC(ZSTD(1)),
    max_ns Nullable(UInt64) CODEC(ZSTD(1)),
    shapes LowCardinality(String),
    flops Nullable(Float64) CODEC(ZSTD(1)),
    INDEX by_profile profile TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(ts)
ORDER BY (job, ts, profile, by, layer, name, core)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
