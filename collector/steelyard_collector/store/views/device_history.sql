CREATE OR REPLACE VIEW steelyard.device_history ${on_cluster} AS
SELECT
    h.level AS level,
    h.device_id AS device_id,
    d.uid AS uid,
    d.node AS node,
    d.vendor AS vendor,
    d.chip AS chip,
    d.part AS part,
    d.origin AS origin,
    h.ts AS ts,
    h.samples AS samples,
    -- one by one they cost the planning more
    h.* EXCEPT (level, device_id, ts, samples)
FROM
(
    SELECT 'raw' AS level, device_id, ts, toUInt32(1) AS samples,
${raw}
    FROM steelyard_store.raw_device
    UNION ALL
    SELECT '10s' AS level, device_id, toDateTime64(bucket, 3, 'UTC') AS ts, n AS samples,
${roll_10s}
    FROM steelyard_store.roll_10s FINAL
    UNION ALL
    SELECT '1m' AS level, device_id, toDateTime64(bucket, 3, 'UTC') AS ts, n AS samples,
${roll_long}
    FROM steelyard_store.roll_1m FINAL
    UNION ALL
    SELECT '1h' AS level, device_id, toDateTime64(bucket, 3, 'UTC') AS ts, n AS samples,
${roll_long}
    FROM steelyard_store.roll_1h FINAL
) AS h
INNER JOIN
(
    SELECT r.device_id AS device_id, r.uid AS uid, a.node AS node, r.vendor AS vendor, nullIf(r.chip, '') AS chip,
        r.part AS part, r.origin AS origin
    FROM steelyard_store.device AS r FINAL
    LEFT JOIN steelyard_store.agent AS a FINAL ON a.agent = r.agent
) AS d ON d.device_id = h.device_id
