-- of memory and links, where msprof sampled them in the window
ALTER TABLE steelyard_store.profile${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS rates Array(Tuple(
        index UInt32, link String, direction String, part String,
        mean_bytes_per_s Float64, min_bytes_per_s Nullable(Float64), max_bytes_per_s Nullable(Float64), samples Nullable(UInt32)
    )) CODEC(ZSTD(1))
