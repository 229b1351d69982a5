SELECT * FROM steelyard_store.straggler_state FINAL WHERE job IN (${jobs})
