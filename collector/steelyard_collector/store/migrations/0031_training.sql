-- shard by agent
-- a newer row replaces an older one of the same process; not partitioned: facts outlive the steps that they are of
CREATE TABLE IF NOT EXISTS steelyard_store.training${local} ${on_cluster}
(
    agent UInt32,
    device_id Nullable(UInt32),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    pid UInt32,
    start_ts DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    job String CODEC(ZSTD(1)),
    run String CODEC(ZSTD(1)),
    rank Nullable(Int32),
    world_size Nullable(Int32),
    model LowCardinality(String),
    architecture LowCardinality(String),
    optimizer LowCardinality(String),
    precision LowCardinality(String),
    task LowCardinality(String),
    parameters Nullable(UInt64),
    trainable_parameters Nullable(UInt64),
    matmul_parameters Nullable(UInt64),
    active_parameters Nullable(UInt64),
    layers Nullable(UInt32),
    heads Nullable(UInt32),
    hidden Nullable(UInt32),
    head_size Nullable(UInt32),
    experts Nullable(UInt32),
    active_experts Nullable(UInt32),
    sequence_length Nullable(UInt32),
    global_batch Nullable(UInt32),
    data_parallel Nullable(UInt32),
    tensor_parallel Nullable(UInt32),
    pipeline_parallel Nullable(UInt32),
    context_parallel Nullable(UInt32),
    expert_parallel Nullable(UInt32),
    declared_tokens_per_step Nullable(UInt64),
    price_per_device_hour Nullable(Float64),
    currency LowCardinality(String),
    recompute Nullable(Bool),
    software Map(String, String),
    origins Map(String, String),
    absent Map(String, String),
    ver UInt64 DEFAULT bitShiftLeft(toUInt64(epoch), 32) + seq
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY (job, agent, start_ts, pid)
SETTINGS non_replicated_deduplication_window = 1000
