-- shard by toYYYYMMDD(day)
-- days whose raw rows are gone: never rolled up again
CREATE TABLE IF NOT EXISTS steelyard_store.dropped_day${local} ${on_cluster}
(
    day Date,
    reason LowCardinality(String),
    bytes UInt64,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY day
