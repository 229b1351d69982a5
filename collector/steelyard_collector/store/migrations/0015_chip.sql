-- shard by cityHash64(name)
CREATE TABLE IF NOT EXISTS steelyard_store.chip${local} ${on_cluster}
(
    name String,
    vendor LowCardinality(String),
    per LowCardinality(String),
    dies UInt8,
    bf16_tflops Nullable(Float64),
    fp16_tflops Nullable(Float64),
    clock_mhz Nullable(Float64),
    hbm_gb_s Nullable(Float64),
    hbm_gb Nullable(Float64),
    tdp_w Nullable(Float64),
    basis String,
    source String,
    confidence LowCardinality(String),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY name
