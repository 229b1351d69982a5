-- shard by cityHash64(job)
-- what a job's steps come to since its start, as of the newest rollup that it had a part in
CREATE TABLE IF NOT EXISTS steelyard_store.job_total${local} ${on_cluster}
(
    job String,
    steps UInt64,
    tokens Nullable(Float64),
    device_s Float64,
    last_step_ts Nullable(DateTime64(3, 'UTC')),
    step_p50_s Nullable(Float64),
    step_p99_s Nullable(Float64),
    goodput Nullable(Float64),
    tokens_origin LowCardinality(String),
    tokens_absent LowCardinality(String),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY job
