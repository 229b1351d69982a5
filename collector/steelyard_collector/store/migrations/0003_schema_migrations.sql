-- shard by id
CREATE TABLE IF NOT EXISTS steelyard_store.schema_migrations${local} ${on_cluster}
(
    id UInt32,
    name String,
    checksum String,
    applied DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(applied)
ORDER BY id
