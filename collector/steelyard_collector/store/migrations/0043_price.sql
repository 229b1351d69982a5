-- shard by cityHash64(chip)
-- what an hour of a device costs, by the user's prices file; NULL where the file no longer says it
CREATE TABLE IF NOT EXISTS steelyard_store.price${local} ${on_cluster}
(
    chip String,
    price_per_device_hour Nullable(Float64),
    currency LowCardinality(String),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY chip
