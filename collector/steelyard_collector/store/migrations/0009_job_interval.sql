-- shard by device_id
-- a longer row replaces a shorter one of the same interval; not partitioned, so that a message is one part
CREATE TABLE IF NOT EXISTS steelyard_store.job_interval${local} ${on_cluster}
(
    agent UInt32,
    device_id UInt32,
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt32 CODEC(ZSTD(1)),
    seq UInt32 CODEC(DoubleDelta, ZSTD(1)),
    job String CODEC(ZSTD(1)),
    from_ts DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    to_ts DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    closed UInt8,
    scheduler LowCardinality(String),
    user LowCardinality(String),
    name String CODEC(ZSTD(1)),
    world_size Nullable(Int32),
    ranks Array(Int32),
    ver UInt64 DEFAULT bitShiftLeft(toUInt64(epoch), 32) + seq
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY (device_id, from_ts, job)
SETTINGS non_replicated_deduplication_window = 1000
