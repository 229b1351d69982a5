CREATE OR REPLACE VIEW steelyard.goodput ${on_cluster} AS
-- where the device-seconds of a job's allocation went, over all that is kept by the hour and the hour under way
SELECT
    g.job AS job, if(g.run = '', g.job, g.run) AS run, g.vendor AS vendor, nullIf(g.chip, '') AS chip, g.part AS part,
    toDateTime64(g.from_ts, 3, 'UTC') AS from_ts, toDateTime64(g.to_ts, 3, 'UTC') AS to_ts,
    g.wall_s AS wall_s, if(g.tells, g.wall_device_s, NULL) AS productive_s, if(g.tells, g.checkpoint_device_s, NULL) AS checkpoint_s,
    if(g.tells, g.evaluate_device_s, NULL) AS evaluate_s, if(g.tells, g.first_device_s, NULL) AS first_steps_s,
    if(g.tells, greatest(0, g.wall_s - g.wall_device_s - g.checkpoint_device_s - g.evaluate_device_s - g.first_device_s), NULL) AS outside_steps_s,
    if(g.tells AND g.wall_s > 0, least(1, g.wall_device_s / g.wall_s), NULL) AS goodput,
    multiIf(g.wall_s = 0, 'its allocation is not known', NOT g.tells, 'it told no steps', NULL) AS absent
FROM
(
    SELECT
        h.job AS job, max(h.run) AS run, h.vendor AS vendor, h.chip AS chip, h.part AS part, min(h.bucket) AS from_ts, max(h.until) AS to_ts,
        sum(h.wall_s) AS wall_s, sum(h.wall_device_s) AS wall_device_s, sum(h.checkpoint_device_s) AS checkpoint_device_s,
        sum(h.evaluate_device_s) AS evaluate_device_s, sum(h.first_device_s) AS first_device_s,
        sum(h.device_s) + checkpoint_device_s + evaluate_device_s + first_device_s > 0 AS tells
    FROM
    (
        SELECT job, run, vendor, chip, part, bucket, bucket + 3600 AS until, wall_s, wall_device_s, device_s, checkpoint_device_s, evaluate_device_s, first_device_s
        FROM steelyard_store.job_hour FINAL
        UNION ALL
        SELECT m.job, m.run, m.vendor, m.chip, m.part, m.bucket, m.bucket + 60, ifNull(m.wall_s, 0), if(m.wall_s IS NULL, 0, m.device_s), m.device_s,
            m.checkpoint_device_s, m.evaluate_device_s, m.first_device_s
        FROM steelyard_store.job_minute AS m FINAL
        LEFT ANTI JOIN (SELECT DISTINCT job, bucket FROM steelyard_store.job_hour WHERE bucket >= now() - INTERVAL 3 HOUR) AS r
            ON r.job = m.job AND r.bucket = toStartOfHour(m.bucket)
        WHERE m.bucket >= toStartOfHour(now() - INTERVAL 2 HOUR)
    ) AS h
    GROUP BY job, vendor, chip, part
) AS g
