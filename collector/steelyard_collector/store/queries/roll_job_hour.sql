INSERT INTO steelyard_store.job_hour (
    job, vendor, chip, part, bucket, run, nodes, devices, steps, device_s, tokens, tokens_device_s,
    nonpad_tokens, nonpad_device_s, loss_tokens, loss_device_s, checkpoint_device_s, evaluate_device_s, first_device_s,
    wall_s, wall_tokens, wall_device_s, energy_j, energy_tokens, energy_wall_s, calm_energy_j, calm_tokens, calm_steps,
    tensor_clock_sum, tensor_clock_n, loss_sum, loss_n, step_hist, origin, tokens_origin, tokens_absent, trained_steps, trained_tokens, ver
)
SELECT
    job, vendor, chip, part, toStartOfHour(h.bucket) AS bucket, max(h.run) AS run, max(h.nodes) AS nodes, max(h.devices) AS devices,
    sum(h.steps) AS steps, sum(h.device_s) AS device_s, sum(h.tokens) AS tokens, sum(h.tokens_device_s) AS tokens_device_s,
    sum(h.nonpad_tokens) AS nonpad_tokens, sum(h.nonpad_device_s) AS nonpad_device_s,
    sum(h.loss_tokens) AS loss_tokens, sum(h.loss_device_s) AS loss_device_s,
    sum(h.checkpoint_device_s) AS checkpoint_device_s, sum(h.evaluate_device_s) AS evaluate_device_s, sum(h.first_device_s) AS first_device_s,
    sum(h.wall_s) AS wall_s, sum(h.wall_tokens) AS wall_tokens, sum(h.wall_device_s) AS wall_device_s,
    sum(h.energy_j) AS energy_j, sum(h.energy_tokens) AS energy_tokens, sum(h.energy_wall_s) AS energy_wall_s,
    sum(h.calm_energy_j) AS calm_energy_j, sum(h.calm_tokens) AS calm_tokens, sum(h.calm_steps) AS calm_steps,
    sum(h.tensor_clock_sum) AS tensor_clock_sum, sum(h.tensor_clock_n) AS tensor_clock_n, sum(h.loss_sum) AS loss_sum, sum(h.loss_n) AS loss_n,
    sumMap(h.step_hist) AS step_hist, max(h.origin) AS origin, max(h.tokens_origin) AS tokens_origin, max(h.tokens_absent) AS tokens_absent,
    sum(h.trained_steps) AS trained_steps, sum(h.trained_tokens) AS trained_tokens,
    ${ver} AS ver
FROM
(
${job_sums}
) AS h
GROUP BY job, vendor, chip, part, bucket
SETTINGS ${settings}
