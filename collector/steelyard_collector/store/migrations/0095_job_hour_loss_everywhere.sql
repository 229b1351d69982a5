-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.job_hour ${on_cluster} ADD COLUMN IF NOT EXISTS loss_sum Float64, ADD COLUMN IF NOT EXISTS loss_n UInt32
