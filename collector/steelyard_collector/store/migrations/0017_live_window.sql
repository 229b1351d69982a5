-- shard by id
-- how far back the live views look
CREATE TABLE IF NOT EXISTS steelyard_store.live_window${local} ${on_cluster}
(
    id UInt8,
    window_ms UInt32,
    ver UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY id
