-- shard by cityHash64(job)
-- what a job trains, by the view job_facts, as of what its processes told last: planning that view costs more than its rows
CREATE TABLE IF NOT EXISTS steelyard_store.job_fact${local} ${on_cluster}
(
    job String,
    run String,
    origin String,
    network String,
    model_key Nullable(String),
    workload Nullable(String),
    workload_absent String,
    sequence_length Nullable(UInt32),
    precision String,
    task String,
    flops_per_token Nullable(Float64),
    flops_absent String,
    price_per_device_hour Nullable(Float64),
    currency String,
    recompute Nullable(Bool),
    data_parallel Nullable(UInt32),
    tensor_parallel Nullable(UInt32),
    pipeline_parallel Nullable(UInt32),
    global_batch Nullable(UInt32),
    software Map(String, String),
    told_ts DateTime64(3, 'UTC'),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY job
TTL toDateTime(told_ts) + INTERVAL 366 DAY
