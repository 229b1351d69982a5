-- what stands beside MFU, and what costs are in
ALTER TABLE steelyard_store.chip_window${local} ${on_cluster} ADD COLUMN IF NOT EXISTS share_of_ceiling Nullable(Float64), ADD COLUMN IF NOT EXISTS currency LowCardinality(String)
