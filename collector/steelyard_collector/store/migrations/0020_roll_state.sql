-- shard by id
-- a hint: what was committed before `recorded` is rolled up, open buckets left out
CREATE TABLE IF NOT EXISTS steelyard_store.roll_state${local} ${on_cluster}
(
    id UInt8,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY id
