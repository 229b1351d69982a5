-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.roll_1m ${on_cluster}
    ADD COLUMN IF NOT EXISTS link_errors_inc Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS link_errors_ms UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS link_errors_first Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS link_errors_last Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_tx_bytes_inc Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_tx_bytes_ms UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_tx_bytes_first Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_tx_bytes_last Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_rx_bytes_inc Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_rx_bytes_ms UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_rx_bytes_first Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_rx_bytes_last Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_errors_inc Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_errors_ms UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_errors_first Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS roce_errors_last Nullable(Int64) CODEC(ZSTD(1))
