-- whose device it is, so that the live fleet finds the jobs of an agent's devices without asking for each device
ALTER TABLE steelyard_store.live_job${local} ${on_cluster} ADD COLUMN IF NOT EXISTS agent UInt32
