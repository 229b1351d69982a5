-- errors of the scale-up links; bytes and errors of a device's own network port
ALTER TABLE steelyard_store.raw_device${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS link_errors Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_tx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_rx_bytes Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_errors Nullable(Int64) CODEC(Delta, ZSTD(1))
