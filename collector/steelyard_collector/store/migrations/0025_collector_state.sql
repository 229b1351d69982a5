-- shard by id
-- what the collector says of itself; counts are since its start
CREATE TABLE IF NOT EXISTS steelyard_store.collector_state${local} ${on_cluster}
(
    id UInt8,
    pid UInt32,
    streams UInt32,
    rows UInt64,
    samples UInt64,
    blocks UInt64,
    block_rows UInt64,
    insert_s Float64,
    failures UInt64,
    last_error String,
    queued_bytes UInt64,
    queue_age_s Float64,
    refused UInt64,
    rollup_s Float64,
    rolled_to DateTime64(3, 'UTC'),
    store_bytes UInt64,
    max_store_bytes UInt64,
    oldest_day Nullable(Date),
    cpu_s Float64,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY id
