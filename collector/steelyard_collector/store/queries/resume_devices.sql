SELECT * EXCEPT ver FROM steelyard_store.device FINAL
