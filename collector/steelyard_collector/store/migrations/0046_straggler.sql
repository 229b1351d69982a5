-- shard by device_id
-- the slow ranks as of one look; all rows of a look have one `ver`, its Unix time in ms
CREATE TABLE IF NOT EXISTS steelyard_store.straggler${local} ${on_cluster}
(
    job String,
    device_id UInt32,
    rank Nullable(Int32),
    cause LowCardinality(String),
    kind LowCardinality(String),
    since DateTime64(3, 'UTC'),
    slow_ratio Float64,
    gain_ratio Float64,
    ranks UInt32,
    ver UInt64
)
ENGINE = ${replicated}MergeTree
ORDER BY (ver, job, device_id)
TTL toDateTime(ver / 1000) + INTERVAL 7 DAY
