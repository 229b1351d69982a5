-- the job's devices, and what each of them does now
SELECT
    j.device_id AS device_id, j.uid AS uid, j.node AS node, j.device_index AS device_index, j.vendor AS vendor, j.chip AS chip, j.part AS part,
    j.origin AS origin, j.ranks AS ranks, j.from_ts AS from_ts, j.to_ts AS to_ts, j.is_closed = 1 AS is_closed,
    d.state AS state, d.age_s AS age_s, d.busy AS busy, d.core_active AS core_active, d.power_w AS power_w, d.job AS held_by
FROM (SELECT * FROM job_devices WHERE job = {job:String}) AS j
LEFT JOIN (SELECT device_id, toNullable(toString(state)) AS state, age_s, busy, core_active, power_w, job FROM devices) AS d ON d.device_id = j.device_id
ORDER BY node, device_index, device_id
