-- shard by agent
-- the registry; the newest row of an agent counts
CREATE TABLE IF NOT EXISTS steelyard_store.agent${local} ${on_cluster}
(
    agent UInt32,
    agent_id String,
    node LowCardinality(String),
    version LowCardinality(String),
    origin LowCardinality(String),
    epoch UInt32,
    os LowCardinality(String),
    kernel LowCardinality(String),
    arch LowCardinality(String),
    cpus UInt32,
    memory_bytes UInt64,
    labels Map(LowCardinality(String), String),
    first_seen DateTime64(3, 'UTC'),
    last_seen DateTime64(3, 'UTC'),
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY agent
