-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.raw_device ${on_cluster}
    ADD COLUMN IF NOT EXISTS link_errors Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_tx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_rx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_errors Nullable(Int64) CODEC(Delta, ZSTD(1))
