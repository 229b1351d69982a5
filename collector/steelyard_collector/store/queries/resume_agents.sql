SELECT * FROM steelyard_store.agent FINAL ORDER BY agent
