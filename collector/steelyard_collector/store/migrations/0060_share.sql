-- shard by reference
-- what SQL can't tell of a window: ratios with their intervals; of each window the newest rows count, written in one block
CREATE TABLE IF NOT EXISTS steelyard_store.share${local} ${on_cluster}
(
    window LowCardinality(String),
    from_ts DateTime64(3, 'UTC'),
    to_ts DateTime64(3, 'UTC'),
    scope LowCardinality(String),
    workload String,
    origin LowCardinality(String),
    vendor LowCardinality(String),
    chip LowCardinality(String),
    reference LowCardinality(String),
    quantity LowCardinality(String),
    mode LowCardinality(String),
    unit LowCardinality(String),
    kind LowCardinality(String),
    is_shown UInt8,
    ratio Nullable(Float64),
    lo Nullable(Float64),
    hi Nullable(Float64),
    df Nullable(Float64),
    se Nullable(Float64),
    n_a UInt32,
    n_r UInt32,
    workloads UInt32,
    marked LowCardinality(String),
    token_kind LowCardinality(String),
    matched_on Array(LowCardinality(String)),
    prior_cv Nullable(Float64),
    prior_groups UInt32,
    reason String,
    warnings Array(String),
    excluded Array(String),
    computed_at DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(computed_at)
ORDER BY (window, reference, chip, origin, quantity, mode, unit, scope, workload, kind)
TTL toDateTime(computed_at) + INTERVAL 1 DAY
