-- links that are up
ALTER TABLE steelyard_store.live_device${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS link_up Nullable(Float32)
