-- the same on a cluster's Distributed table; elsewhere it is there already
ALTER TABLE steelyard_store.live_job ${on_cluster} ADD COLUMN IF NOT EXISTS agent UInt32
