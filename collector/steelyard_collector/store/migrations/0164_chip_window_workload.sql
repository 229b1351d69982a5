-- the workload that a chip's rates are of; and what it achieves, also where its peak isn't known
ALTER TABLE steelyard_store.chip_window${local} ${on_cluster} ADD COLUMN IF NOT EXISTS workload String, ADD COLUMN IF NOT EXISTS tflops Nullable(Float64)
