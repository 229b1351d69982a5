-- what a newer agent says and this collector's catalogue doesn't know; counters as they count, without a rate
CREATE OR REPLACE VIEW steelyard.unknown_metrics ${on_cluster} AS
SELECT
    device_id,
    ts,
    pair.1 AS metric_id,
    pair.2 AS value
FROM
(
    SELECT
        device_id,
        ts,
        arrayConcat(
            arrayMap((k, v) -> (k, toFloat64(v)), mapKeys(extra), mapValues(extra)),
            arrayMap((k, v) -> (k, toFloat64(v)), mapKeys(extra_counters), mapValues(extra_counters))
        ) AS pairs
    FROM steelyard_store.raw_device
    WHERE notEmpty(extra) OR notEmpty(extra_counters)
)
ARRAY JOIN pairs AS pair
