-- shard by claim
-- a claim's verdict for one pair of the chips that it may mean; of each window the newest rows count, written in one block
CREATE TABLE IF NOT EXISTS steelyard_store.claim${local} ${on_cluster}
(
    window LowCardinality(String),
    from_ts DateTime64(3, 'UTC'),
    to_ts DateTime64(3, 'UTC'),
    claim LowCardinality(String),
    subject LowCardinality(String),
    chip LowCardinality(String),
    claimed_of LowCardinality(String),
    reference LowCardinality(String),
    unit LowCardinality(String),
    quantity LowCardinality(String),
    value Float64,
    near Float64,
    said_by String,
    said_on String,
    note String,
    origin LowCardinality(String),
    verdict LowCardinality(String),
    reason String,
    ratio Nullable(Float64),
    lo Nullable(Float64),
    hi Nullable(Float64),
    kind LowCardinality(String),
    probability Nullable(Float64),
    n_a UInt32,
    n_r UInt32,
    workloads UInt32,
    computed_at DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(computed_at)
ORDER BY (window, claim, chip, reference, origin)
TTL toDateTime(computed_at) + INTERVAL 1 DAY
