SELECT * FROM steelyard_store.intent FINAL
