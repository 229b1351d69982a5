-- shard by device_id
-- the registry; the newest row of a device counts
CREATE TABLE IF NOT EXISTS steelyard_store.device${local} ${on_cluster}
(
    device_id UInt32,
    agent UInt32,
    epoch UInt32,
    key UInt32,
    uid String,
    vendor LowCardinality(String),
    kind LowCardinality(String),
    name LowCardinality(String),
    chip LowCardinality(String),
    part LowCardinality(String),
    package_uid String,
    device_index UInt32,
    pci_address String,
    numa_node Int32,
    memory_bytes UInt64,
    driver_version LowCardinality(String),
    library_version LowCardinality(String),
    power_scope LowCardinality(String),
    origin LowCardinality(String),
    notes Map(LowCardinality(String), String),
    first_seen DateTime64(3, 'UTC'),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY device_id
