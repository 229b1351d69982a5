-- a job that the view jobs doesn't have, or no longer: by its allocations and its hours and minutes, either of which may be missing
SELECT
    now64(3, 'UTC') AS read_at, k.job AS job, coalesce(t.run, k.job) AS run, h.name AS name, h.scheduler AS scheduler, h.user AS user,
    coalesce(h.origin, t.origin) AS origin,
    -- without an allocation its steps alone say that it runs
    multiIf(h.is_closed = 1, 'finished', h.is_closed IS NULL AND t.steps_end >= now() - INTERVAL 5 MINUTE, 'running', 'lost') AS state,
    if(state = 'running', t.begin, coalesce(h.last_seen, t.end)) AS state_since, coalesce(h.since, t.begin) AS since,
    coalesce(h.last_seen, t.end) AS last_seen,
    h.vendors AS vendors, h.chips AS chips, h.nodes AS nodes, h.devices AS devices, h.world_size AS world_size,
    NULL AS busy, NULL AS core_active, NULL AS power_w, t.model AS model, t.workload AS workload, t.sequence_length AS sequence_length,
    t.precision AS precision, t.task AS task, t.steps AS steps, t.tokens AS tokens, t.tokens_origin AS tokens_origin, t.tokens_absent AS tokens_absent,
    if(t.steps_end IS NULL, NULL, least(t.steps_end, coalesce(h.last_seen, t.steps_end))) AS last_step, t.step_p50_s AS step_p50_s, t.step_p99_s AS step_p99_s, t.goodput AS goodput
FROM
(
    SELECT job FROM job_devices WHERE job = {job:String}
    UNION DISTINCT
    SELECT job FROM efficiency WHERE job = {job:String}
) AS k
LEFT JOIN
(
    SELECT
        d.job AS job, toNullable(max(d.is_closed)) AS is_closed, any(d.name) AS name, any(d.scheduler) AS scheduler, any(d.user) AS user,
        toNullable(toString(any(d.origin))) AS origin, toNullable(min(d.from_ts)) AS since, toNullable(max(d.to_ts)) AS last_seen,
        arraySort(groupUniqArray(toString(d.vendor))) AS vendors, arraySort(groupUniqArray(d.chip)) AS chips,
        toNullable(uniqExact(d.node)) AS nodes, toNullable(uniqExact(d.device_id)) AS devices, max(d.world_size) AS world_size
    FROM job_devices AS d
    WHERE d.job = {job:String}
    GROUP BY job
) AS h ON h.job = k.job
LEFT JOIN
(
    SELECT
        e.job AS job, toNullable(any(e.run)) AS run, any(e.origin) AS origin, any(e.model) AS model, any(e.workload) AS workload,
        any(e.sequence_length) AS sequence_length, any(e.precision) AS precision, any(e.task) AS task, toNullable(sum(e.trained_steps)) AS steps,
        sum(e.trained_tokens) AS tokens, any(e.tokens_origin) AS tokens_origin, any(e.tokens_absent) AS tokens_absent,
        toNullable(min(e.ts)) AS begin, least(max(e.until), now64(3, 'UTC')) AS end,
        maxOrNullIf(least(e.until, now64(3, 'UTC')), e.device_s + e.first_device_s + e.checkpoint_device_s + e.evaluate_device_s > 0) AS steps_end,
        quantileExactWeightedOrNullArray(0.5)(e.step_bins_s, e.step_counts) AS step_p50_s,
        quantileExactWeightedOrNullArray(0.99)(e.step_bins_s, e.step_counts) AS step_p99_s,
        if(sum(e.told_wall_s) > 0, least(1, sum(e.wall_device_s) / sum(e.told_wall_s)), NULL) AS goodput
    FROM
    (
        SELECT *, ts + toIntervalSecond(if(level = '1h', 3600, 60)) AS until,
            countIf(level = '1h') OVER (PARTITION BY vendor, chip, part, toStartOfHour(ts)) AS hours
        FROM efficiency
        WHERE job = {job:String} AND (level = '1h' OR ts >= toStartOfHour(now() - INTERVAL 2 HOUR))
    ) AS e
    WHERE e.level = '1h' OR e.hours = 0
    GROUP BY job
) AS t ON t.job = k.job
