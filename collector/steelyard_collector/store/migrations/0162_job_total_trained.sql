-- as in job_hour
ALTER TABLE steelyard_store.job_total${local} ${on_cluster} ADD COLUMN IF NOT EXISTS trained_steps UInt64 DEFAULT steps, ADD COLUMN IF NOT EXISTS trained_tokens Nullable(Float64) DEFAULT tokens
