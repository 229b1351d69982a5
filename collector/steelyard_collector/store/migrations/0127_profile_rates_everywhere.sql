-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.profile ${on_cluster}
    ADD COLUMN IF NOT EXISTS rates Array(Tuple(
        index UInt32, link String, direction String, part String,
        mean_bytes_per_s Float64, min_bytes_per_s Nullable(Float64), max_bytes_per_s Nullable(Float64), samples Nullable(UInt32)
    )) CODEC(ZSTD(1))
