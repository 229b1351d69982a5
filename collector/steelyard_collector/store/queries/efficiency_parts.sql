-- a job's sums beside what it trains, the peak of its devices and their price: the parts of every figure
SELECT
    ${own},
    if(f.job != '', f.run, if(s.run = '', s.job, s.run)) AS run,
    coalesce(nullIf(f.origin, ''), nullIf(o.origin, '')) AS origin,
    f.workload AS workload, f.model_key AS model, f.sequence_length AS sequence_length, nullIf(f.precision, '') AS precision, nullIf(f.task, '') AS task,
    f.flops_per_token AS flops_per_token, p.basis AS basis, nullIf(p.devices_per_package, 0) AS devices_per_package,
    multiIf(f.precision = 'bfloat16', p.bf16_tflops, f.precision = 'float16', p.fp16_tflops, NULL) AS peak_tflops,
    if(f.precision = 'bfloat16', p.marketed_bf16_tflops, NULL) AS marketed_tflops,
    if(f.precision IN ('bfloat16', 'float16'), p.ceiling_tflops, NULL) AS ceiling_tflops,
    s.tokens * f.flops_per_token AS flops,
    if(flops IS NULL, 0, s.tokens_device_s) AS flops_device_s,
    if(flops IS NULL, 0, ifNull(s.tokens_device_s * peak_tflops * 1e12, 0)) AS peak_flops,
    if(flops IS NULL, 0, ifNull(s.tokens_device_s * ceiling_tflops * 1e12, 0)) AS ceiling_flops,
    -- over several jobs a share is of those whose peak is known
    if(peak_flops > 0, flops, NULL) AS flops_of_peak, if(ceiling_flops > 0, flops, NULL) AS flops_of_ceiling,
    multiIf(
        s.tokens IS NULL, if(s.tokens_absent = '', 'no tokens of productive steps', concat('no tokens: ', s.tokens_absent)),
        f.job = '', 'what it trains was never told',
        f.flops_per_token IS NULL, f.flops_absent,
        p.chip = '', 'the chip table has no such chip',
        peak_tflops IS NULL, concat('the chip table has no peak for ', if(f.precision = '', 'an unknown precision', f.precision)),
        '') AS mfu_absent,
    -- of a job that tells no steps nobody knows how much of its time was productive
    if(f.job != '' OR s.wall_device_s > 0, s.wall_s, 0) AS told_wall_s,
    if(p.ofu = 1, ifNull(s.tensor_clock_sum / p.clock_mhz, 0), 0) AS ofu_sum,
    if(p.ofu = 1 AND p.clock_mhz > 0, s.tensor_clock_n, 0) AS ofu_n,
    p.ofu_validated AS ofu_validated,
    multiIf(
        p.chip = '', 'the chip table has no such chip',
        p.ofu = 0, 'its peak is capped by other means than its clock',
        p.clock_mhz IS NULL, 'the clock of its peak is not known',
        s.tensor_clock_n = 0, 'no tensor_active, or no clock',
        '') AS ofu_absent,
    coalesce(f.price_per_device_hour, p.price_per_device_hour) AS price,
    if(f.price_per_device_hour IS NULL, p.currency, nullIf(f.currency, '')) AS price_currency,
    s.tokens_device_s / 3600 * price AS cost,
    if(cost IS NULL, NULL, s.tokens) AS cost_tokens
FROM
(
${sums}
) AS s
LEFT JOIN (SELECT * FROM steelyard_store.job_fact FINAL) AS f ON f.job = s.job
LEFT JOIN (SELECT * FROM steelyard_store.chip_peak FINAL WHERE is_known = 1) AS p ON p.chip = s.chip AND p.part = s.part
LEFT JOIN
(
    SELECT l.job AS job, any(toString(d.origin)) AS origin
    FROM (SELECT job, any(device_id) AS device_id FROM steelyard_store.live_job GROUP BY job) AS l
    INNER JOIN (SELECT device_id, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = l.device_id
    GROUP BY job
) AS o ON o.job = s.job
