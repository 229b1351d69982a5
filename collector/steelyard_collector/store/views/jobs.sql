CREATE OR REPLACE VIEW steelyard.jobs ${on_cluster} AS
SELECT
    j.job AS job, j.run AS run, j.name AS name, j.scheduler AS scheduler, j.user AS user, j.origin AS origin,
    j.vendors AS vendors, j.chips AS chips, j.nodes AS nodes, j.devices AS devices, j.world_size AS world_size, j.since AS since, j.last_seen AS last_seen,
    j.state AS state,
    multiIf(j.state IN ('finished', 'lost'), j.last_seen, j.state IN ('hung', 'idle but held') AND j.last_step IS NOT NULL, j.last_step, j.since) AS state_since,
    j.busy AS busy, j.core_active AS core_active, j.tensor_active AS tensor_active, j.hbm_bw_active AS hbm_bw_active, j.power_w AS power_w,
    j.model AS model, j.workload AS workload, j.sequence_length AS sequence_length, j.precision AS precision, j.task AS task,
    j.steps AS steps, j.tokens AS tokens, j.last_step AS last_step, j.step_p50_s AS step_p50_s, j.step_p99_s AS step_p99_s, j.goodput AS goodput,
    j.tokens_origin AS tokens_origin, j.tokens_absent AS tokens_absent
FROM
(
    SELECT
        h.job AS job, h.name AS name, h.scheduler AS scheduler, h.user AS user, h.origin AS origin, h.vendors AS vendors, h.chips AS chips,
        h.nodes AS nodes, h.devices AS devices, h.world_size AS world_size, h.since AS since, h.last_seen AS last_seen,
        h.busy AS busy, h.core_active AS core_active, h.tensor_active AS tensor_active, h.hbm_bw_active AS hbm_bw_active, h.power_w AS power_w,
        o.trained_steps AS steps, o.trained_tokens AS tokens, o.last_step_ts AS last_step, o.step_p50_s AS step_p50_s, o.step_p99_s AS step_p99_s, o.goodput AS goodput,
        nullIf(o.tokens_origin, '') AS tokens_origin, nullIf(o.tokens_absent, '') AS tokens_absent,
        if(f.job = '' OR f.run = '', h.job, f.run) AS run, f.model_key AS model, f.workload AS workload, f.sequence_length AS sequence_length,
        nullIf(f.precision, '') AS precision, nullIf(f.task, '') AS task,
        multiIf(
            h.open_devices = 0, if(h.closed_devices > 0, 'finished', 'lost'),
            -- steps are told, and the newest is not older than ten of the longest
            o.last_step_ts IS NOT NULL AND dateDiff('second', o.last_step_ts, now64(3, 'UTC')) <= greatest(300, 10 * ifNull(o.step_p99_s, 0)), 'running',
            o.last_step_ts IS NOT NULL, if(p.job = '', 'idle but held', 'hung'),
            ifNull(h.busy, 0) >= 0.02, if(f.job = '', 'running', 'starting'),
            dateDiff('second', h.since, now64(3, 'UTC')) < 600, 'starting',
            -- a while without figures is no idleness
            h.busy IS NULL, if(f.job = '', 'running', 'starting'),
            'idle but held') AS state
    FROM
    (
        SELECT
            l.job AS job,
            nullIf(argMax(l.name, l.to_ts), '') AS name,
            nullIf(argMax(l.scheduler, l.to_ts), '') AS scheduler,
            nullIf(argMax(l.user, l.to_ts), '') AS user,
            any(d.origin) AS origin,
            arraySort(groupUniqArray(d.vendor)) AS vendors,
            arraySort(groupUniqArray(nullIf(d.chip, ''))) AS chips,
            uniqExact(d.agent) AS nodes,
            uniqExact(l.device_id) AS devices,
            argMax(l.world_size, l.to_ts) AS world_size,
            min(l.from_ts) AS since,
            max(l.to_ts) AS last_seen,
            countIf(l.is_open) AS open_devices,
            -- an interval that is neither closed nor told again has ended without a word
            countIf(l.closed = 1) AS closed_devices,
            avgIf(d.busy, l.is_open AND d.state = 'live') AS busy,
            avgIf(d.core_active, l.is_open AND d.state = 'live') AS core_active,
            avgIf(d.tensor_active, l.is_open AND d.state = 'live') AS tensor_active,
            avgIf(d.hbm_bw_active, l.is_open AND d.state = 'live') AS hbm_bw_active,
            sumIf(d.power_w, l.is_open AND d.state = 'live') AS power_w
        FROM
        (
            SELECT *, closed = 0 AND to_ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE AS is_open
            FROM steelyard_store.live_job FINAL
        ) AS l
        INNER JOIN
        (
${newest_of_device}
        ) AS d ON d.device_id = l.device_id
        GROUP BY l.job
    ) AS h
    LEFT JOIN (SELECT job, toNullable(trained_steps) AS trained_steps, trained_tokens, last_step_ts, step_p50_s, step_p99_s, goodput, tokens_origin, tokens_absent FROM steelyard_store.job_total FINAL) AS o ON o.job = h.job
    LEFT JOIN (SELECT DISTINCT job FROM steelyard_store.process WHERE ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE) AS p ON p.job = h.job
    LEFT JOIN (SELECT job, run, model_key, workload, sequence_length, precision, task FROM steelyard_store.job_fact FINAL) AS f ON f.job = h.job
) AS j
