SELECT count() AS n
FROM
(
    SELECT 1
    FROM steelyard_store.${table}
    WHERE ${entity} AND ${day} AND epoch = {epoch:UInt32} AND seq = {seq:UInt32}
    LIMIT 1
)
