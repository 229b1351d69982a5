-- shard by device_id
CREATE TABLE IF NOT EXISTS steelyard_store.process${local} ${on_cluster}
(
    agent UInt32 CODEC(ZSTD(1)),
    device_id UInt32 CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    pid UInt32 CODEC(ZSTD(1)),
    start_ts Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    hbm_used_bytes Nullable(UInt64) CODEC(ZSTD(1)),
    rank Nullable(Int32) CODEC(ZSTD(1)),
    local_rank Nullable(Int32) CODEC(ZSTD(1)),
    world_size Nullable(Int32) CODEC(ZSTD(1)),
    job LowCardinality(String),
    user LowCardinality(String),
    container String CODEC(ZSTD(1)),
    command LowCardinality(String),
    cpu_share Nullable(Float32) CODEC(ZSTD(1)),
    rss_bytes Nullable(UInt64) CODEC(ZSTD(1)),
    threads Nullable(UInt32) CODEC(ZSTD(1))
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(ts)
ORDER BY (device_id, ts)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
