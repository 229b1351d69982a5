CREATE OR REPLACE VIEW steelyard.efficiency ${on_cluster} AS
SELECT
    e.level AS level, toDateTime64(e.bucket, 3, 'UTC') AS ts, e.job AS job, e.run AS run, e.workload AS workload, e.model AS model,
    e.sequence_length AS sequence_length, e.precision AS precision, e.task AS task,
    e.vendor AS vendor, nullIf(e.chip, '') AS chip, e.part AS part, e.origin AS origin, nullIf(e.step_origin, '') AS step_origin,
    nullIf(e.tokens_origin, '') AS tokens_origin, nullIf(e.tokens_absent, '') AS tokens_absent, e.nodes AS nodes, e.devices AS devices,
    e.steps AS steps, e.device_s AS device_s, e.tokens AS tokens, e.tokens_device_s AS tokens_device_s,
    e.nonpad_tokens AS nonpad_tokens, e.nonpad_device_s AS nonpad_device_s, e.loss_tokens AS loss_tokens, e.loss_device_s AS loss_device_s,
    e.checkpoint_device_s AS checkpoint_device_s, e.evaluate_device_s AS evaluate_device_s, e.first_device_s AS first_device_s,
    e.wall_s AS wall_s, e.wall_tokens AS wall_tokens, e.wall_device_s AS wall_device_s, e.told_wall_s AS told_wall_s,
    e.trained_steps AS trained_steps, e.trained_tokens AS trained_tokens,
    e.energy_j AS energy_j, e.energy_tokens AS energy_tokens, e.energy_wall_s AS energy_wall_s,
    e.flops_per_token AS flops_per_token, e.flops AS flops, e.flops_device_s AS flops_device_s, e.peak_tflops AS peak_tflops, e.flops_of_peak AS flops_of_peak, e.peak_flops AS peak_flops,
    e.flops / nullIf(e.flops_device_s, 0) / 1e12 / e.marketed_tflops AS marketed_mfu, e.flops_of_ceiling AS flops_of_ceiling, e.ceiling_flops AS ceiling_flops,
    e.loss_sum / nullIf(e.loss_n, 0) AS loss, e.loss_n AS loss_steps, e.ofu_sum AS ofu_sum, e.ofu_n AS ofu_n, e.price AS price_per_device_hour, e.cost AS cost, e.cost_tokens AS cost_tokens,
    e.devices_per_package AS devices_per_package, e.step_bins_s AS step_bins_s, e.step_counts AS step_counts,
${efficiency_figures}
FROM
(
    SELECT
        q.*, mapKeys(q.step_hist) AS step_bins, mapValues(q.step_hist) AS step_counts, arrayCumSum(step_counts) AS steps_up_to,
        arrayMap(bin -> ${bin_middle_s}, step_bins) AS step_bins_s
    FROM
    (
${efficiency_parts}
    ) AS q
) AS e
