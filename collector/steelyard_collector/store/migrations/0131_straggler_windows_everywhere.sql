-- on a cluster the table over all shards has them too
ALTER TABLE steelyard_store.straggler ${on_cluster}
    ADD COLUMN IF NOT EXISTS confirmed Nullable(Bool),
    ADD COLUMN IF NOT EXISTS confirmed_absent String,
    ADD COLUMN IF NOT EXISTS profile String,
    ADD COLUMN IF NOT EXISTS profile_excess Nullable(Float64)
