-- the newest five minutes and what has come of this one, by job, node, device, chip and vendor
INSERT INTO steelyard_store.live_efficiency (
    scope, name, job, node, vendor, chip, part, origin, jobs, devices, workloads, workload, tokens_origin, tokens_absent, from_ts, to_ts,
    tokens_per_s_device, tokens_per_s_package, wall_tokens_per_s_device, tflops_per_device, mfu, mfu_basis, mfu_absent, share_of_ceiling, ofu, ofu_validated,
    ofu_absent, tokens_per_j, energy_coverage, cost_per_mtoken, currency, step_p50_s, step_p95_s, step_p99_s, goodput, ver
)
SELECT
    e.scope AS scope, e.name AS name, nullIf(e.job, '') AS job, nullIf(e.node, '') AS node, e.vendor AS vendor, nullIf(e.chip, '') AS chip,
    nullIf(e.part, '') AS part, nullIf(e.origin, '') AS origin, e.jobs AS jobs, e.devices AS devices, e.workloads AS workloads,
    if(e.workloads = 1, e.any_workload, NULL) AS workload, nullIf(e.tokens_origin, '') AS tokens_origin,
    -- rates of several workloads are no rate of anything
    multiIf(e.workloads > 1 AND e.is_told, 'several workloads: see them by job', e.tokens IS NULL, coalesce(nullIf(e.tokens_absent, ''), 'no tokens of productive steps'), NULL) AS tokens_absent,
    toDateTime64(e.from_ts, 3, 'UTC') AS from_ts, toDateTime64(e.to_ts, 3, 'UTC') AS to_ts,
${efficiency_figures},
    ${ver} AS ver
FROM
(
    SELECT
        u.* EXCEPT (step_hist, tokens, wall_tokens, energy_tokens, cost),
        u.tokens IS NOT NULL AS is_told, if(u.workloads > 1, NULL, u.tokens) AS tokens, if(u.workloads > 1, NULL, u.wall_tokens) AS wall_tokens,
        if(u.workloads > 1, NULL, u.energy_tokens) AS energy_tokens, if(u.workloads > 1 OR u.currencies > 1, NULL, u.cost) AS cost,
        mapKeys(u.step_hist) AS step_bins, if(u.workloads > 1, [], arrayCumSum(mapValues(u.step_hist))) AS steps_up_to
    FROM
    (
        SELECT
            tupleElement(k, 1) AS scope, tupleElement(k, 2) AS name, if(scope = 'job', q.job, '') AS job, '' AS node,
            tupleElement(k, 3) AS vendor, tupleElement(k, 4) AS chip, tupleElement(k, 5) AS part, ifNull(q.origin, '') AS origin,
            uniqExact(q.job) AS jobs, sum(q.job_devices) AS devices,
${scope_sums}
        FROM
        (
            SELECT p.*, if(p.bucket = max(p.bucket) OVER (PARTITION BY p.job, p.vendor, p.chip, p.part), p.devices, 0) AS job_devices
            FROM
            (
${live_parts}
            ) AS p
        ) AS q
        ARRAY JOIN [('job', q.job, '', '', ''), ('chip', q.chip, q.vendor, q.chip, q.part), ('vendor', q.vendor, q.vendor, '', '')] AS k
        GROUP BY scope, name, job, node, vendor, chip, part, origin
        UNION ALL
        SELECT
            tupleElement(k, 1) AS scope, tupleElement(k, 2) AS name, if(scope = 'device', q.job, '') AS job, q.node AS node,
            q.vendor AS vendor, tupleElement(k, 3) AS chip, tupleElement(k, 4) AS part, ifNull(q.origin, '') AS origin,
            uniqExact(q.job) AS jobs, if(scope = 'device', 1, sum(q.job_devices)) AS devices,
${scope_sums}
        FROM
        (
            SELECT ${node_columns}, a.node AS node, d.uids AS uids
            FROM
            (
                SELECT p.*, if(p.bucket = max(p.bucket) OVER (PARTITION BY p.job, p.agent, p.vendor, p.chip, p.part), p.devices, 0) AS job_devices
                FROM
                (
${live_node_parts}
                ) AS p
            ) AS w
            INNER JOIN (SELECT agent, node FROM steelyard_store.agent FINAL) AS a ON a.agent = w.agent
            LEFT JOIN
            (
                SELECT l.job AS job, r.agent AS agent, groupArray(r.uid) AS uids
                FROM (SELECT job, device_id FROM steelyard_store.live_job FINAL WHERE closed = 0 AND to_ts >= toDateTime64(${now_s}, 3, 'UTC') - INTERVAL 2 MINUTE) AS l
                INNER JOIN (SELECT device_id, agent, uid FROM steelyard_store.device FINAL) AS r ON r.device_id = l.device_id
                GROUP BY job, agent
            ) AS d ON d.job = w.job AND d.agent = w.agent
        ) AS q
        ARRAY JOIN arrayConcat([('node', q.node, '', '')], arrayMap(uid -> ('device', uid, q.chip, q.part), q.uids)) AS k
        GROUP BY scope, name, job, node, vendor, chip, part, origin
    ) AS u
) AS e
SETTINGS ${settings}
