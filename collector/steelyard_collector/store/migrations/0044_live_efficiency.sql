-- shard by cityHash64(scope, name)
-- the efficiency of the newest minutes as of the newest rollup; all rows of one rollup have one `ver`
CREATE TABLE IF NOT EXISTS steelyard_store.live_efficiency${local} ${on_cluster}
(
    scope LowCardinality(String),
    name String,
    job Nullable(String),
    node Nullable(String),
    vendor LowCardinality(String),
    chip Nullable(String),
    part Nullable(String),
    origin Nullable(String),
    jobs UInt32,
    devices Float64,
    workloads UInt32,
    workload Nullable(String),
    tokens_origin Nullable(String),
    tokens_absent Nullable(String),
    from_ts DateTime64(3, 'UTC'),
    to_ts DateTime64(3, 'UTC'),
    tokens_per_s_device Nullable(Float64),
    tokens_per_s_package Nullable(Float64),
    wall_tokens_per_s_device Nullable(Float64),
    tflops_per_device Nullable(Float64),
    mfu Nullable(Float64),
    mfu_basis Nullable(String),
    mfu_absent Nullable(String),
    share_of_ceiling Nullable(Float64),
    ofu Nullable(Float64),
    ofu_validated Nullable(Bool),
    ofu_absent Nullable(String),
    tokens_per_j Nullable(Float64),
    energy_coverage Nullable(Float64),
    cost_per_mtoken Nullable(Float64),
    currency Nullable(String),
    step_p50_s Nullable(Float64),
    step_p95_s Nullable(Float64),
    step_p99_s Nullable(Float64),
    goodput Nullable(Float64),
    ver UInt64
)
ENGINE = ${replicated}MergeTree
ORDER BY (ver, scope, name)
TTL toDateTime(to_ts) + INTERVAL 1 HOUR
