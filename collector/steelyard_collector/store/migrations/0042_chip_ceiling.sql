-- shard by cityHash64(name)
-- what else the chip table says of a chip
CREATE TABLE IF NOT EXISTS steelyard_store.chip_ceiling${local} ${on_cluster}
(
    name String,
    marketed_bf16_tflops Nullable(Float64),
    ceiling_tflops Nullable(Float64),
    ceiling_source String,
    ofu UInt8,
    ofu_validated UInt8,
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY name
