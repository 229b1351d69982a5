-- shard by agent
CREATE TABLE IF NOT EXISTS steelyard_store.raw_host${local} ${on_cluster}
(
    agent UInt32 CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    cpu_busy Nullable(Float32) CODEC(ZSTD(1)),
    cpu_iowait Nullable(Float32) CODEC(ZSTD(1)),
    load_1m Nullable(Float32) CODEC(ZSTD(1)),
    mem_used_bytes Nullable(Float32) CODEC(ZSTD(1)),
    mem_total_bytes Nullable(Float32) CODEC(ZSTD(1)),
    swap_used_bytes Nullable(Float32) CODEC(ZSTD(1)),
    page_dirty_bytes Nullable(Float32) CODEC(ZSTD(1)),
    disk_read_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    disk_write_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    net_rx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    net_tx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    nic_rx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    nic_tx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    psi_cpu_us Nullable(Int64) CODEC(Delta, ZSTD(1)),
    psi_mem_us Nullable(Int64) CODEC(Delta, ZSTD(1)),
    psi_io_us Nullable(Int64) CODEC(Delta, ZSTD(1)),
    extra Map(UInt16, Float32) CODEC(ZSTD(1)),
    extra_counters Map(UInt16, Int64) CODEC(ZSTD(1))
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(ts)
ORDER BY (agent, ts)
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 200000000, non_replicated_deduplication_window = 1000
