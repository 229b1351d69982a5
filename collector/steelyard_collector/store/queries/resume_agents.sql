SELECT * EXCEPT ver FROM steelyard_store.agent FINAL
