CREATE OR REPLACE VIEW steelyard.rates ${on_cluster} AS
SELECT
    p.id AS profile, p.ts AS ts, p.to_ts AS to_ts, p.job AS job, nullIf(a.node, '') AS node, p.agent AS agent, p.device_id AS device_id,
    nullIf(d.vendor, '') AS vendor, nullIf(d.chip, '') AS chip, p.rank AS rank, coalesce(nullIf(d.origin, ''), nullIf(a.origin, '')) AS origin,
    r.index AS device_index, r.link AS link, r.direction AS direction, nullIf(r.part, '') AS part,
    r.mean_bytes_per_s AS mean_bytes_per_s, r.min_bytes_per_s AS min_bytes_per_s, r.max_bytes_per_s AS max_bytes_per_s, r.samples AS samples
FROM (SELECT id, ts, to_ts, job, agent, device_id, rank, arrayJoin(rates) AS r FROM steelyard_store.profile FINAL WHERE state = 'stored') AS p
LEFT JOIN (SELECT agent, node, origin FROM steelyard_store.agent FINAL) AS a ON a.agent = p.agent
LEFT JOIN (SELECT toNullable(device_id) AS device_id, vendor, chip, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = p.device_id
