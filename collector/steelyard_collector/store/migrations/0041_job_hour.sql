-- shard by cityHash64(job)
-- a job on one kind of device over an hour, all of its nodes together: the sums of its minutes, in pairs
CREATE TABLE IF NOT EXISTS steelyard_store.job_hour${local} ${on_cluster}
(
    job String CODEC(ZSTD(1)),
    vendor LowCardinality(String),
    chip LowCardinality(String),
    part LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    run String CODEC(ZSTD(1)),
    nodes UInt32,
    devices Float64,
    steps UInt32,
    device_s Float64,
    tokens Nullable(Float64),
    tokens_device_s Float64,
    nonpad_tokens Nullable(Float64),
    nonpad_device_s Float64,
    loss_tokens Nullable(Float64),
    loss_device_s Float64,
    checkpoint_device_s Float64,
    evaluate_device_s Float64,
    first_device_s Float64,
    wall_s Float64,
    wall_tokens Nullable(Float64),
    wall_device_s Float64,
    energy_j Float64,
    energy_tokens Nullable(Float64),
    energy_wall_s Float64,
    calm_energy_j Float64,
    calm_tokens Nullable(Float64),
    calm_steps UInt32,
    tensor_clock_sum Float64,
    tensor_clock_n UInt32,
    step_hist Map(Int16, UInt64) CODEC(ZSTD(1)),
    origin LowCardinality(String),
    tokens_origin LowCardinality(String),
    tokens_absent LowCardinality(String),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
PARTITION BY toYYYYMM(bucket)
ORDER BY (job, vendor, chip, part, bucket)
SETTINGS min_bytes_for_wide_part = 200000000
