-- shard by agent
-- device-seconds of a row are devices * steps * step_time_s; a job's tokens are the sum of tokens / token_copies
CREATE TABLE IF NOT EXISTS steelyard_store.step${local} ${on_cluster}
(
    agent UInt32 CODEC(ZSTD(1)),
    device_id Nullable(UInt32) CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    devices Nullable(Float64) CODEC(ZSTD(1)),
    pid UInt32 CODEC(ZSTD(1)),
    start_ts Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    begin_ts Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    job String CODEC(ZSTD(1)),
    run String CODEC(ZSTD(1)),
    rank Nullable(Int32) CODEC(ZSTD(1)),
    local_rank Nullable(Int32) CODEC(ZSTD(1)),
    world_size Nullable(Int32) CODEC(ZSTD(1)),
    data_parallel Nullable(Int32) CODEC(ZSTD(1)),
    step UInt64 CODEC(Delta, ZSTD(1)),
    steps UInt32 CODEC(ZSTD(1)),
    step_time_s Nullable(Float64) CODEC(ZSTD(1)),
    tokens Nullable(UInt64) CODEC(ZSTD(1)),
    nonpad_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    loss_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    samples Nullable(UInt64) CODEC(ZSTD(1)),
    token_copies UInt32 CODEC(ZSTD(1)),
    host_gap_s Nullable(Float64) CODEC(ZSTD(1)),
    mark LowCardinality(String),
    origin LowCardinality(String),
    tokens_origin LowCardinality(String),
    tokens_absent LowCardinality(String),
    total_steps UInt64 CODEC(Delta, ZSTD(1)),
    total_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    total_s Float64 CODEC(ZSTD(1))
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(ts)
ORDER BY (job, ts)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
