-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.straggler_state ${on_cluster} ADD COLUMN IF NOT EXISTS absent String
