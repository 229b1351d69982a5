-- shard by chip
-- each chip's own figures over a kept window; of each window the newest rows count, written in one block
CREATE TABLE IF NOT EXISTS steelyard_store.chip_window${local} ${on_cluster}
(
    window LowCardinality(String),
    from_ts DateTime64(3, 'UTC'),
    to_ts DateTime64(3, 'UTC'),
    vendor LowCardinality(String),
    chip LowCardinality(String),
    part LowCardinality(String),
    origin LowCardinality(String),
    jobs UInt32,
    units Float64,
    workloads UInt32,
    tokens_per_s Nullable(Float64),
    mfu Nullable(Float64),
    mfu_basis LowCardinality(String),
    ofu Nullable(Float64),
    tokens_per_j Nullable(Float64),
    cost_per_mtoken Nullable(Float64),
    step_p50_s Nullable(Float64),
    step_p99_s Nullable(Float64),
    goodput Nullable(Float64),
    computed_at DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(computed_at)
ORDER BY (window, vendor, chip, origin, part)
TTL toDateTime(computed_at) + INTERVAL 1 DAY
