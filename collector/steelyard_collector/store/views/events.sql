CREATE OR REPLACE VIEW steelyard.events ${on_cluster} AS
SELECT
    e.ts AS ts,
    nullIf(a.node, '') AS node,
    nullIf(e.agent, 0) AS agent,
    e.device_id AS device_id,
    nullIf(d.uid, '') AS uid,
    nullIf(d.vendor, '') AS vendor,
    nullIf(d.chip, '') AS chip,
    e.severity AS severity,
    e.code AS code,
    e.text AS text,
    e.source AS source,
    coalesce(nullIf(d.origin, ''), nullIf(a.origin, '')) AS origin
FROM steelyard_store.event AS e
LEFT JOIN (SELECT agent, node, origin FROM steelyard_store.agent FINAL) AS a ON a.agent = e.agent
LEFT JOIN (SELECT toNullable(device_id) AS device_id, uid, vendor, chip, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = e.device_id
