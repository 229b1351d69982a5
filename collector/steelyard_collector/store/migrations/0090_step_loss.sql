-- the training's loss where its log or script says it
ALTER TABLE steelyard_store.step${local} ${on_cluster} ADD COLUMN IF NOT EXISTS loss Nullable(Float64) CODEC(ZSTD(1))
