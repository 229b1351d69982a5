CREATE OR REPLACE VIEW steelyard.job_devices ${on_cluster} AS
-- which devices a job holds or held; several times on one device are one row
SELECT
    h.job AS job, h.device_id AS device_id, d.uid AS uid, nullIf(a.node, '') AS node, d.agent AS agent, d.device_index AS device_index,
    d.vendor AS vendor, nullIf(d.chip, '') AS chip, d.part AS part, d.origin AS origin, h.from_ts AS from_ts, h.to_ts AS to_ts,
    h.is_closed AS is_closed, h.ranks AS ranks, nullIf(h.name, '') AS name, nullIf(h.scheduler, '') AS scheduler, nullIf(h.user, '') AS user,
    h.world_size AS world_size
FROM
(
    SELECT
        i.job AS job, i.device_id AS device_id, min(i.from_ts) AS from_ts, max(i.to_ts) AS to_ts, argMax(i.closed, i.to_ts) = 1 AS is_closed,
        argMax(i.ranks, i.to_ts) AS ranks, argMax(i.name, i.to_ts) AS name, toString(argMax(i.scheduler, i.to_ts)) AS scheduler,
        toString(argMax(i.user, i.to_ts)) AS user, argMax(i.world_size, i.to_ts) AS world_size
    FROM (SELECT * FROM steelyard_store.job_interval FINAL) AS i
    GROUP BY job, device_id
) AS h
INNER JOIN (SELECT device_id, agent, uid, device_index, vendor, chip, part, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = h.device_id
LEFT JOIN (SELECT agent, node FROM steelyard_store.agent FINAL) AS a ON a.agent = d.agent
