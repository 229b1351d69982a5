-- shard by agent
-- a job on one kind of device of one node over a minute; sums only. What belongs to a step counts in the minute in which it ended
CREATE TABLE IF NOT EXISTS steelyard_store.job_minute${local} ${on_cluster}
(
    job String CODEC(ZSTD(1)),
    agent UInt32 CODEC(ZSTD(1)),
    vendor LowCardinality(String),
    chip LowCardinality(String),
    part LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    run String CODEC(ZSTD(1)),
    n UInt32 CODEC(ZSTD(1)),
    ranks UInt32 CODEC(ZSTD(1)),
    devices Float64 CODEC(ZSTD(1)),
    steps UInt32 CODEC(ZSTD(1)),
    device_s Float64 CODEC(ZSTD(1)),
    tokens Nullable(Float64) CODEC(ZSTD(1)),
    nonpad_tokens Nullable(Float64) CODEC(ZSTD(1)),
    loss_tokens Nullable(Float64) CODEC(ZSTD(1)),
    checkpoint_steps UInt32 CODEC(ZSTD(1)),
    checkpoint_device_s Float64 CODEC(ZSTD(1)),
    checkpoint_tokens Nullable(Float64) CODEC(ZSTD(1)),
    evaluate_steps UInt32 CODEC(ZSTD(1)),
    evaluate_device_s Float64 CODEC(ZSTD(1)),
    evaluate_tokens Nullable(Float64) CODEC(ZSTD(1)),
    first_steps UInt32 CODEC(ZSTD(1)),
    first_device_s Float64 CODEC(ZSTD(1)),
    first_tokens Nullable(Float64) CODEC(ZSTD(1)),
    step_hist Map(Int16, UInt64) CODEC(ZSTD(1)),
    origin LowCardinality(String),
    tokens_origin LowCardinality(String),
    tokens_absent LowCardinality(String),
    held_devices UInt32 CODEC(ZSTD(1)),
    wall_s Nullable(Float64) CODEC(ZSTD(1)),
    energy_j Nullable(Float64) CODEC(ZSTD(1)),
    tensor_clock_sum Float64 CODEC(ZSTD(1)),
    tensor_clock_n UInt32 CODEC(ZSTD(1)),
    ver UInt64 CODEC(ZSTD(1))
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
PARTITION BY toDate(bucket)
ORDER BY (job, agent, vendor, chip, part, bucket)
TTL toDate(bucket) + 90
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 200000000
