-- all steps that trained, with those that are kept apart; of hours that are older than this the productive ones
ALTER TABLE steelyard_store.job_hour${local} ${on_cluster} ADD COLUMN IF NOT EXISTS trained_steps UInt32 DEFAULT steps, ADD COLUMN IF NOT EXISTS trained_tokens Nullable(Float64) DEFAULT tokens
