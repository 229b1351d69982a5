-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.raw_device ${on_cluster}
    ADD COLUMN IF NOT EXISTS roce_retries Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_pauses Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ecc_deferred Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS pcie_gt_s Nullable(Float32) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS pcie_lanes Nullable(Float32) CODEC(ZSTD(1))
