-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.live_device ${on_cluster}
    ADD COLUMN IF NOT EXISTS pcie_gt_s Nullable(Float32),
    ADD COLUMN IF NOT EXISTS pcie_lanes Nullable(Float32)
