-- shard by device_id
-- the newest sample of a device that was rolled up
CREATE TABLE IF NOT EXISTS steelyard_store.device_last${local} ${on_cluster}
(
    device_id UInt32,
    last_ts DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(last_ts)
ORDER BY device_id
