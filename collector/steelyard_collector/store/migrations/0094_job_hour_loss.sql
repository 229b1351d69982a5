-- as in job_minute
ALTER TABLE steelyard_store.job_hour${local} ${on_cluster} ADD COLUMN IF NOT EXISTS loss_sum Float64, ADD COLUMN IF NOT EXISTS loss_n UInt32
