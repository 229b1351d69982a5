-- shard by cityHash64(chip)
-- what one device of a chip can do at best, by the view device_peak: written where the chip table or the prices change
CREATE TABLE IF NOT EXISTS steelyard_store.chip_peak${local} ${on_cluster}
(
    chip String,
    part String,
    clock_mhz Nullable(Float64),
    basis String,
    ofu UInt8,
    ofu_validated UInt8,
    bf16_tflops Nullable(Float64),
    fp16_tflops Nullable(Float64),
    marketed_bf16_tflops Nullable(Float64),
    ceiling_tflops Nullable(Float64),
    price_per_device_hour Nullable(Float64),
    currency Nullable(String),
    devices_per_package UInt8,
    is_known UInt8,
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY (chip, part)
