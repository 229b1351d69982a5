-- shard by agent
-- what the devices of an agent told last, summed up by what they are and when they told it: an element of each array per
-- such group. `ts` is the epoch's begin for devices that told nothing yet; `sums` and `counts` are of the values that are
-- there, in the order of store/live_fleet.py. Written with `device` and `live_device`, anew as a whole at each start
CREATE TABLE IF NOT EXISTS steelyard_store.live_fleet${local} ${on_cluster}
(
    agent UInt32,
    ver UInt64,
    vendor Array(LowCardinality(String)),
    chip Array(LowCardinality(String)),
    part Array(LowCardinality(String)),
    origin Array(LowCardinality(String)),
    ts Array(DateTime64(3, 'UTC')),
    devices Array(Array(UInt32)),
    sums Array(Array(Float64)),
    counts Array(Array(UInt32))
)
ENGINE = ${replicated}ReplacingMergeTree(ver)
ORDER BY agent
