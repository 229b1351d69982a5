-- shard by agent
CREATE TABLE IF NOT EXISTS steelyard_store.raw_agent${local} ${on_cluster}
(
    agent UInt32 CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    agent_cpu_s Nullable(Float32) CODEC(ZSTD(1)),
    agent_rss_bytes Nullable(Float32) CODEC(ZSTD(1)),
    ticks_late Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ticks_missed Nullable(Int64) CODEC(Delta, ZSTD(1)),
    calls Nullable(Int64) CODEC(Delta, ZSTD(1)),
    call_errors Nullable(Int64) CODEC(Delta, ZSTD(1)),
    call_timeouts Nullable(Int64) CODEC(Delta, ZSTD(1)),
    devices_quarantined Nullable(Float32) CODEC(ZSTD(1)),
    absences Nullable(Int64) CODEC(Delta, ZSTD(1)),
    batches_spooled Nullable(Int64) CODEC(Delta, ZSTD(1)),
    batches_sent Nullable(Int64) CODEC(Delta, ZSTD(1)),
    batches_acked Nullable(Int64) CODEC(Delta, ZSTD(1)),
    batches_lost Nullable(Int64) CODEC(Delta, ZSTD(1)),
    spool_bytes Nullable(Float32) CODEC(ZSTD(1)),
    reconnects Nullable(Int64) CODEC(Delta, ZSTD(1)),
    clock_offset_ms Nullable(Float32) CODEC(ZSTD(1)),
    sample_s Nullable(Float32) CODEC(ZSTD(1)),
    extra Map(UInt16, Float32) CODEC(ZSTD(1)),
    extra_counters Map(UInt16, Int64) CODEC(ZSTD(1))
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(ts)
ORDER BY (agent, ts)
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 200000000, non_replicated_deduplication_window = 1000
