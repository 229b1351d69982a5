-- shard by cityHash64(name)
CREATE TABLE IF NOT EXISTS steelyard_store.collector_lock${local} ${on_cluster}
(
    name String,
    holder String,
    host String,
    pid UInt32,
    released UInt8,
    recorded DateTime64(3, 'UTC'),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY name
