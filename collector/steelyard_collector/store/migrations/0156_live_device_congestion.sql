-- congestion of a device's own port, deferred memory errors, the PCIe link
ALTER TABLE steelyard_store.live_device${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS pcie_gt_s Nullable(Float32),
    ADD COLUMN IF NOT EXISTS pcie_lanes Nullable(Float32)
