-- shard by toYYYYMMDD(day)
-- days whose raw rows were dropped, up to `until`: what lies before is never rolled up again
CREATE TABLE IF NOT EXISTS steelyard_store.dropped_day${local} ${on_cluster}
(
    day Date,
    until DateTime64(3, 'UTC'),
    reason LowCardinality(String),
    bytes UInt64,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY day
