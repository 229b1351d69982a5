-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.raw_host ${on_cluster}
    ADD COLUMN IF NOT EXISTS nic_up Nullable(Float32) CODEC(ZSTD(1))
