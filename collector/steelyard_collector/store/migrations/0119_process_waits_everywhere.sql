-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.process ${on_cluster}
    ADD COLUMN IF NOT EXISTS voluntary_switches Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS involuntary_switches Nullable(UInt64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS read_bytes Nullable(UInt64) CODEC(ZSTD(1))
