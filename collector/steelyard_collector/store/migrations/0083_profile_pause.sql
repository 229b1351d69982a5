-- shard by id
-- whether continuous profiles of the whole fleet are stopped; the newest row counts
CREATE TABLE IF NOT EXISTS steelyard_store.profile_pause${local} ${on_cluster}
(
    id UInt8,
    is_paused UInt8,
    since DateTime64(3, 'UTC'),
    reason String,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY id
