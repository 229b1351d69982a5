-- what the next profile window of a slow rank says of its cause
ALTER TABLE steelyard_store.straggler${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS confirmed Nullable(Bool),
    ADD COLUMN IF NOT EXISTS confirmed_absent String,
    ADD COLUMN IF NOT EXISTS profile String,
    ADD COLUMN IF NOT EXISTS profile_excess Nullable(Float64)
