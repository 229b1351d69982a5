-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.job_hour ${on_cluster} ADD COLUMN IF NOT EXISTS trained_steps UInt32 DEFAULT steps, ADD COLUMN IF NOT EXISTS trained_tokens Nullable(Float64) DEFAULT tokens
