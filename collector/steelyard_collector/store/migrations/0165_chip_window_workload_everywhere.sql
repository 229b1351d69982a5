-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.chip_window ${on_cluster} ADD COLUMN IF NOT EXISTS workload String, ADD COLUMN IF NOT EXISTS tflops Nullable(Float64)
