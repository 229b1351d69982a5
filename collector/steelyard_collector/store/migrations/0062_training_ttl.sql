-- hours are kept for ever, and say what they trained for a year; the facts of a process that lives are told anew
ALTER TABLE steelyard_store.training${local} ${on_cluster} MODIFY TTL toDateTime(ts) + INTERVAL 366 DAY
