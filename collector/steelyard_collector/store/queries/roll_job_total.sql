INSERT INTO steelyard_store.job_total (
    job, steps, tokens, device_s, last_step_ts, step_p50_s, step_p99_s, goodput, tokens_origin, tokens_absent, trained_steps, trained_tokens, ver
)
SELECT
    e.job, e.steps, e.tokens, e.device_s, if(e.last_step_s = 0, NULL, toDateTime64(e.last_step_s, 3, 'UTC')),
    ${step_p50}, ${step_p99}, if(e.wall_s > 0, least(1, e.wall_device_s / e.wall_s), NULL), e.tokens_origin, e.tokens_absent, e.trained_steps, e.trained_tokens, ${ver}
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
            -- as its newest steps say it, also where it takes none now
            argMaxIf(s.tokens_origin, s.bucket, s.any_s > 0) AS tokens_origin, argMaxIf(s.tokens_absent, s.bucket, s.any_s > 0) AS tokens_absent,
            sum(s.trained_steps) AS trained_steps, sum(s.trained_tokens) AS trained_tokens
        FROM
        (
            SELECT job, bucket, 3600 AS bucket_s, steps, tokens, device_s, device_s + checkpoint_device_s + evaluate_device_s + first_device_s AS any_s,
                step_hist, wall_s, wall_device_s, tokens_origin, tokens_absent, trained_steps, trained_tokens
            FROM steelyard_store.job_hour FINAL
            WHERE job IN (${jobs}) AND bucket < toDateTime(${minutes_from_s}, 'UTC')
            UNION ALL
            SELECT job, bucket, 60, steps, tokens, device_s, device_s + checkpoint_device_s + evaluate_device_s + first_device_s,
                step_hist, wall_s, wall_device_s, tokens_origin, tokens_absent, trained_steps, trained_tokens
            FROM (${sums})
        ) AS s
        GROUP BY job
    ) AS q
) AS e
SETTINGS ${settings}
