-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.chip_window ${on_cluster} ADD COLUMN IF NOT EXISTS share_of_ceiling Nullable(Float64), ADD COLUMN IF NOT EXISTS currency LowCardinality(String)
