-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.raw_device ${on_cluster}
    ADD COLUMN IF NOT EXISTS link_up Nullable(Float32) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ecc_corrected_hbm Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ecc_uncorrected_hbm Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ecc_corrected_sram Nullable(Int64) CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ecc_uncorrected_sram Nullable(Int64) CODEC(Delta, ZSTD(1))
