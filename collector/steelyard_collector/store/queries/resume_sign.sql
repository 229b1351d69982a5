SELECT count() AS n
FROM steelyard_store.${table}
WHERE ${entity} AND epoch = {epoch:UInt32} AND seq = {seq:UInt32} AND ${day}
