-- why a group has no such signal
ALTER TABLE steelyard_store.straggler_state${local} ${on_cluster} ADD COLUMN IF NOT EXISTS absent String
