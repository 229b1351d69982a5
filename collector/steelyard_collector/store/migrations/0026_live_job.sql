-- shard by device_id
-- the newest interval in which a job held a device
CREATE TABLE IF NOT EXISTS steelyard_store.live_job${local} ${on_cluster}
(
    device_id UInt32,
    job String,
    from_ts DateTime64(3, 'UTC'),
    to_ts DateTime64(3, 'UTC'),
    closed UInt8,
    scheduler LowCardinality(String),
    user LowCardinality(String),
    name String,
    world_size Nullable(Int32),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY (device_id, job)
TTL toDateTime(to_ts) + INTERVAL 7 DAY
