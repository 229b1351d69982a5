-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.step ${on_cluster} ADD COLUMN IF NOT EXISTS loss Nullable(Float64) CODEC(ZSTD(1))
