-- of two collectors that write the same version of the lock, one block is dropped as a repeat
ALTER TABLE steelyard_store.collector_lock${local} ${on_cluster} MODIFY SETTING non_replicated_deduplication_window = 1000
