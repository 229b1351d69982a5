SELECT
    groupUniqArray(name) AS names,
    -- a store that is older than this table
    (SELECT count() FROM (SELECT 1 FROM steelyard_store.raw_device LIMIT 1)) > 0 AS has_rows
FROM steelyard_store.given_metric
