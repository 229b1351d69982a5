INSERT INTO steelyard_store.job_total (
    job, steps, tokens, device_s, last_step_ts, step_p50_s, step_p99_s, goodput, tokens_origin, tokens_absent, ver
)
SELECT
    e.job, e.steps, e.tokens, e.device_s, if(e.last_step_s = 0, NULL, toDateTime64(e.last_step_s, 3, 'UTC')),
    ${step_p50}, ${step_p99}, e.wall_device_s / nullIf(e.wall_s, 0), e.tokens_origin, e.tokens_absent, ${ver}
FROM
(
    SELECT q.*, mapKeys(q.step_hist) AS step_bins, arrayCumSum(mapValues(q.step_hist)) AS steps_up_to
    FROM
    (
        SELECT
            s.job AS job, sum(s.steps) AS steps, sum(s.tokens) AS tokens, sum(s.device_s) AS device_s,
            -- a step ended somewhere in its minute
            maxIf(least(toUnixTimestamp(s.bucket) + s.bucket_s, ${now_s}), s.any_s > 0) AS last_step_s,
            sumMap(s.step_hist) AS step_hist, sum(s.wall_s) AS wall_s, sum(s.wall_device_s) AS wall_device_s,
            argMax(s.tokens_origin, s.bucket) AS tokens_origin, argMax(s.tokens_absent, s.bucket) AS tokens_absent
        FROM
        (
            SELECT job, bucket, 3600 AS bucket_s, steps, tokens, device_s, device_s + checkpoint_device_s + evaluate_device_s + first_device_s AS any_s,
                step_hist, wall_s, wall_device_s, tokens_origin, tokens_absent
            FROM steelyard_store.job_hour FINAL
            WHERE job IN (${jobs}) AND bucket < toDateTime(${minutes_from_s}, 'UTC')
            UNION ALL
            SELECT job, bucket, 60, steps, tokens, device_s, device_s + checkpoint_device_s + evaluate_device_s + first_device_s,
                step_hist, wall_s, wall_device_s, tokens_origin, tokens_absent
            FROM (${sums})
        ) AS s
        GROUP BY job
    ) AS q
) AS e
SETTINGS ${settings}
