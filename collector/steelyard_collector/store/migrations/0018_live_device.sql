-- shard by device_id
-- the newest row of a device: is_slow 0 with its fast metrics, 1 with its slow ones; written after each block of raw_device
CREATE TABLE IF NOT EXISTS steelyard_store.live_device${local} ${on_cluster}
(
    is_slow UInt8,
    device_id UInt32,
    ts DateTime64(3, 'UTC'),
    ver UInt64,
    busy Nullable(Float32),
    core_active Nullable(Float32),
    tensor_active Nullable(Float32),
    vector_active Nullable(Float32),
    core_occupancy Nullable(Float32),
    fp16_active Nullable(Float32),
    fp64_active Nullable(Float32),
    int_active Nullable(Float32),
    hbm_bw_active Nullable(Float32),
    memctl_busy Nullable(Float32),
    hmma_active Nullable(Float32),
    core_clock_mhz Nullable(Float32),
    core_clock_max_mhz Nullable(Float32),
    mem_clock_mhz Nullable(Float32),
    power_w Nullable(Float32),
    power_limit_w Nullable(Float32),
    hbm_used_bytes Nullable(Float32),
    hbm_total_bytes Nullable(Float32),
    hbm_reserved_bytes Nullable(Float32),
    hbm_temp_c Nullable(Float32),
    chip_temp_c Nullable(Float32),
    voltage_v Nullable(Float32),
    link_tx_bytes_per_s Nullable(Float32),
    link_rx_bytes_per_s Nullable(Float32),
    pcie_tx_bytes_per_s Nullable(Float32),
    pcie_rx_bytes_per_s Nullable(Float32),
    remapped_rows Nullable(Float32),
    remap_pending Nullable(Float32),
    health Nullable(Float32),
    network_health Nullable(Float32),
    processes Nullable(Float32)
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY (is_slow, device_id)
SETTINGS min_bytes_for_wide_part = 200000000
