-- shard by cityHash64(job)
-- what was learnt of a group of peers in one signal, so that a restart of the collector goes on from it
CREATE TABLE IF NOT EXISTS steelyard_store.straggler_state${local} ${on_cluster}
(
    job String,
    vendor LowCardinality(String),
    chip LowCardinality(String),
    stage Int32,
    cause LowCardinality(String),
    devices Array(UInt32),
    next_minute UInt32,
    baseline_sum Array(Float64),
    baseline_minutes Array(UInt32),
    score Array(Float64),
    rising_since Array(UInt32),
    noise_change_sum Float64,
    noise_far_sum Float64,
    noise_minutes UInt32,
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY (job, vendor, chip, stage, cause)
TTL toDateTime(ver / 1000) + INTERVAL 7 DAY
