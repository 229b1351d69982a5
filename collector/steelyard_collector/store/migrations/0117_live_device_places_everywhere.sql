-- on a cluster the table over all shards has it too
ALTER TABLE steelyard_store.live_device ${on_cluster}
    ADD COLUMN IF NOT EXISTS link_up Nullable(Float32)
