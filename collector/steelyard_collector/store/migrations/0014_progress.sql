-- shard by agent
-- a hint for resuming: what was committed at `recorded`
CREATE TABLE IF NOT EXISTS steelyard_store.progress${local} ${on_cluster}
(
    agent UInt32,
    epoch UInt32,
    kind UInt8,
    seq UInt64,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(seq)
ORDER BY (agent, epoch, kind)
