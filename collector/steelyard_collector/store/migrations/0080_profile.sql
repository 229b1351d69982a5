-- shard by agent
-- a newer row replaces an older one of the same window: what it cost is known only from the steps after it
CREATE TABLE IF NOT EXISTS steelyard_store.profile${local} ${on_cluster}
(
    agent UInt32 CODEC(ZSTD(1)),
    device_id Nullable(UInt32) CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    written_ts Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    pid UInt32 CODEC(ZSTD(1)),
    start_ts Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    job LowCardinality(String),
    run LowCardinality(String),
    rank Nullable(Int32) CODEC(ZSTD(1)),
    world_size Nullable(Int32) CODEC(ZSTD(1)),
    profiler LowCardinality(String),
    cause LowCardinality(String),
    state LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    to_ts Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    format LowCardinality(String),
    chip LowCardinality(String),
    devices UInt32 CODEC(ZSTD(1)),
    steps Nullable(UInt32) CODEC(ZSTD(1)),
    window_ns Nullable(UInt64) CODEC(ZSTD(1)),
    compute_ns Nullable(UInt64) CODEC(ZSTD(1)),
    communication_ns Nullable(UInt64) CODEC(ZSTD(1)),
    overlapped_ns Nullable(UInt64) CODEC(ZSTD(1)),
    memory_copy_ns Nullable(UInt64) CODEC(ZSTD(1)),
    idle_ns Nullable(UInt64) CODEC(ZSTD(1)),
    data_wait_ns Nullable(UInt64) CODEC(ZSTD(1)),
    kernels Nullable(UInt64) CODEC(ZSTD(1)),
    kernels_ns Nullable(UInt64) CODEC(ZSTD(1)),
    gaps Nullable(UInt64) CODEC(ZSTD(1)),
    longest_gap_ns Nullable(UInt64) CODEC(ZSTD(1)),
    loss_s Nullable(Float64) CODEC(ZSTD(1)),
    loss_low_s Nullable(Float64) CODEC(ZSTD(1)),
    loss_high_s Nullable(Float64) CODEC(ZSTD(1)),
    with_stacks Bool,
    with_shapes Bool,
    trace_bytes UInt64 CODEC(ZSTD(1)),
    notes Array(String) CODEC(ZSTD(1)),
    samples Nullable(UInt32) CODEC(ZSTD(1)),
    sampled_hz Nullable(Float64) CODEC(ZSTD(1)),
    ver UInt64 DEFAULT bitShiftLeft(toUInt64(epoch), 32) + seq CODEC(ZSTD(1)),
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_job job TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
PARTITION BY toDate(ts)
ORDER BY (ts, id)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
