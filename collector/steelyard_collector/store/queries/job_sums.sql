-- a job's minutes over its nodes, each figure's sums in pairs: what is divided, and what it is divided by, of the same minutes
SELECT
    ${outer_agent}g.job AS job, g.vendor AS vendor, g.chip AS chip, g.part AS part, g.bucket AS bucket, g.run AS run, g.nodes AS nodes, g.devices AS devices,
    g.steps AS steps, g.device_s AS device_s, g.tokens AS tokens, if(g.tokens IS NULL, 0, g.device_s) AS tokens_device_s,
    g.nonpad_tokens AS nonpad_tokens, if(g.nonpad_tokens IS NULL, 0, g.device_s) AS nonpad_device_s,
    g.loss_tokens AS loss_tokens, if(g.loss_tokens IS NULL, 0, g.device_s) AS loss_device_s,
    g.steps + g.apart_steps AS trained_steps, g.all_tokens AS trained_tokens,
    g.checkpoint_device_s AS checkpoint_device_s, g.evaluate_device_s AS evaluate_device_s, g.first_device_s AS first_device_s,
    ifNull(g.wall_s, 0) AS wall_s, if(g.wall_s IS NULL, NULL, g.all_tokens) AS wall_tokens, if(g.wall_s IS NULL, 0, g.device_s) AS wall_device_s,
    ifNull(g.energy_j, 0) AS energy_j, if(g.energy_j IS NULL, NULL, g.all_tokens) AS energy_tokens, if(g.energy_j IS NULL, 0, g.wall_s) AS energy_wall_s,
    -- nothing but productive steps, each within a minute or so: what the chip takes, without checkpoints and idle times
    g.energy_j IS NOT NULL AND g.tokens IS NOT NULL AND g.steps > 0 AND g.apart_steps = 0 AND g.device_s <= 60 * g.devices * g.steps AS is_calm,
    if(is_calm, ifNull(g.energy_j, 0), 0) AS calm_energy_j, if(is_calm, g.tokens, NULL) AS calm_tokens, if(is_calm, g.steps, 0) AS calm_steps,
    g.tensor_clock_sum AS tensor_clock_sum, g.tensor_clock_n AS tensor_clock_n, g.loss_sum AS loss_sum, g.loss_n AS loss_n, g.step_hist AS step_hist,
    g.origin AS origin, g.tokens_origin AS tokens_origin, g.tokens_absent AS tokens_absent
FROM
(
    SELECT
        ${inner_agent}m.job AS job, m.vendor AS vendor, m.chip AS chip, m.part AS part, m.bucket AS bucket,
        max(m.run) AS run, toUInt32(count()) AS nodes, sum(if(m.devices > 0, m.devices, toFloat64(m.held_devices))) AS devices,
        max(m.steps) AS steps, sum(m.device_s) AS device_s, sum(m.tokens) AS tokens,
        if(countIf(m.tokens IS NOT NULL AND m.nonpad_tokens IS NULL) = 0, sum(m.nonpad_tokens), NULL) AS nonpad_tokens,
        if(countIf(m.tokens IS NOT NULL AND m.loss_tokens IS NULL) = 0, sum(m.loss_tokens), NULL) AS loss_tokens,
        -- tokens that were trained on: a marked step is a training step with something else before it
        sum(if(m.tokens IS NULL AND m.checkpoint_tokens IS NULL AND m.evaluate_tokens IS NULL AND m.first_tokens IS NULL, NULL,
            ifNull(m.tokens, 0) + ifNull(m.checkpoint_tokens, 0) + ifNull(m.evaluate_tokens, 0) + ifNull(m.first_tokens, 0))) AS all_tokens,
        max(m.checkpoint_steps + m.evaluate_steps + m.first_steps) AS apart_steps,
        sum(m.checkpoint_device_s) AS checkpoint_device_s, sum(m.evaluate_device_s) AS evaluate_device_s, sum(m.first_device_s) AS first_device_s,
        if(countIf(m.wall_s IS NULL) = 0, sum(m.wall_s), NULL) AS wall_s,
        if(countIf(m.energy_j IS NULL) = 0, sum(m.energy_j), NULL) AS energy_j,
        sum(m.tensor_clock_sum) AS tensor_clock_sum, toUInt32(sum(m.tensor_clock_n)) AS tensor_clock_n,
        sum(m.loss_sum) AS loss_sum, toUInt32(sum(m.loss_n)) AS loss_n,
        sumMap(m.step_hist) AS step_hist, max(m.origin) AS origin, max(m.tokens_origin) AS tokens_origin, max(m.tokens_absent) AS tokens_absent
    FROM steelyard_store.job_minute AS m FINAL
    WHERE ${where}
    GROUP BY ${by_agent}job, vendor, chip, part, bucket
) AS g
