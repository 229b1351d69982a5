-- RDMA ports that are active
ALTER TABLE steelyard_store.raw_host${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS nic_up Nullable(Float32) CODEC(ZSTD(1))
