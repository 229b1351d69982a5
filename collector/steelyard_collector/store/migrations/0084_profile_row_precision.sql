-- of the operator's own numbers; before, a job's precision stood for all of its operators'
ALTER TABLE steelyard_store.profile_row${local} ${on_cluster} ADD COLUMN IF NOT EXISTS precision LowCardinality(String)
