-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.profile_row ${on_cluster} ADD COLUMN IF NOT EXISTS precision LowCardinality(String)
