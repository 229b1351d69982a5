-- the loss times the steps that it is the mean of, and these steps over all ranks
ALTER TABLE steelyard_store.job_minute${local} ${on_cluster} ADD COLUMN IF NOT EXISTS loss_sum Float64 CODEC(ZSTD(1)), ADD COLUMN IF NOT EXISTS loss_n UInt32 CODEC(ZSTD(1))
