-- shard by cityHash64(name)
-- the device metrics that some raw row has or had: the rollups leave the others out
CREATE TABLE IF NOT EXISTS steelyard_store.given_metric${local} ${on_cluster}
(
    name String,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(recorded)
ORDER BY name
