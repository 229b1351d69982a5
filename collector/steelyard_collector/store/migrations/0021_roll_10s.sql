-- shard by device_id
CREATE TABLE IF NOT EXISTS steelyard_store.roll_10s${local} ${on_cluster}
(
    device_id UInt32 CODEC(ZSTD(1)),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    n UInt32 CODEC(ZSTD(1)),
    last_ts DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    busy_sum Float64 CODEC(ZSTD(1)),
    busy_n UInt32 CODEC(ZSTD(1)),
    busy_min Nullable(Float32) CODEC(ZSTD(1)),
    busy_max Nullable(Float32) CODEC(ZSTD(1)),
    core_active_sum Float64 CODEC(ZSTD(1)),
    core_active_n UInt32 CODEC(ZSTD(1)),
    core_active_min Nullable(Float32) CODEC(ZSTD(1)),
    core_active_max Nullable(Float32) CODEC(ZSTD(1)),
    tensor_active_sum Float64 CODEC(ZSTD(1)),
    tensor_active_n UInt32 CODEC(ZSTD(1)),
    tensor_active_min Nullable(Float32) CODEC(ZSTD(1)),
    tensor_active_max Nullable(Float32) CODEC(ZSTD(1)),
    hbm_bw_active_sum Float64 CODEC(ZSTD(1)),
    hbm_bw_active_n UInt32 CODEC(ZSTD(1)),
    hbm_bw_active_min Nullable(Float32) CODEC(ZSTD(1)),
    hbm_bw_active_max Nullable(Float32) CODEC(ZSTD(1)),
    core_clock_mhz_sum Float64 CODEC(ZSTD(1)),
    core_clock_mhz_n UInt32 CODEC(ZSTD(1)),
    core_clock_mhz_min Nullable(Float32) CODEC(ZSTD(1)),
    core_clock_mhz_max Nullable(Float32) CODEC(ZSTD(1)),
    power_w_sum Float64 CODEC(ZSTD(1)),
    power_w_n UInt32 CODEC(ZSTD(1)),
    power_w_min Nullable(Float32) CODEC(ZSTD(1)),
    power_w_max Nullable(Float32) CODEC(ZSTD(1)),
    hbm_used_bytes_sum Float64 CODEC(ZSTD(1)),
    hbm_used_bytes_n UInt32 CODEC(ZSTD(1)),
    hbm_used_bytes_min Nullable(Float32) CODEC(ZSTD(1)),
    hbm_used_bytes_max Nullable(Float32) CODEC(ZSTD(1)),
    chip_temp_c_sum Float64 CODEC(ZSTD(1)),
    chip_temp_c_n UInt32 CODEC(ZSTD(1)),
    chip_temp_c_min Nullable(Float32) CODEC(ZSTD(1)),
    chip_temp_c_max Nullable(Float32) CODEC(ZSTD(1)),
    ver UInt64 CODEC(ZSTD(1))
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
PARTITION BY toDate(bucket)
ORDER BY (device_id, bucket)
TTL toDate(bucket) + 3
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 200000000
