-- shard by kind
-- what the newest block of each kind was meant to hold, written before it: after a crash that block alone is in doubt
CREATE TABLE IF NOT EXISTS steelyard_store.intent${local} ${on_cluster}
(
    kind UInt8,
    flush UInt64,
    day Date,
    agents Array(UInt32),
    epochs Array(UInt32),
    seqs Array(UInt64),
    sign_agent UInt32,
    sign_epoch UInt32,
    sign_seq UInt64
)
ENGINE = ${replicated}ReplacingMergeTree(flush)
ORDER BY kind
SETTINGS non_replicated_deduplication_window = 1000
