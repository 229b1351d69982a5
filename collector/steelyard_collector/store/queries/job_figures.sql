-- a figure of each run on each kind of device over a window, with its variance over the run's own ${level}s: see statistics in docs
WITH
    series AS
    (
        -- a run's restarts are one run, its sums go by time: minutes, or hours where the window is long
        SELECT
            if(f.job != '', f.run, if(s.run = '', s.job, s.run)) AS run, f.workload AS workload,
            s.vendor AS vendor, s.chip AS chip, s.part AS part, s.bucket AS bucket,
            max(s.job) AS job, max(s.nodes) AS nodes, max(s.devices) AS devices, sum(s.steps) AS steps, sum(s.calm_steps) AS calm_steps,
            sum(s.tokens) AS tokens, sum(s.tokens_device_s) AS tokens_device_s,
            sum(s.nonpad_tokens) AS nonpad_tokens, sum(s.nonpad_device_s) AS nonpad_device_s,
            sum(s.loss_tokens) AS loss_tokens, sum(s.loss_device_s) AS loss_device_s,
            sum(s.wall_tokens) AS wall_tokens, sum(s.wall_s) AS wall_s,
            sum(s.energy_tokens) AS energy_tokens, sum(s.energy_j) AS energy_j, sum(s.energy_wall_s) AS energy_wall_s,
            sum(s.calm_tokens) AS calm_tokens, sum(s.calm_energy_j) AS calm_energy_j,
            sum(s.checkpoint_device_s + s.evaluate_device_s) AS marked_device_s,
            max(s.origin) AS steps_origin, max(s.tokens_origin) AS tokens_origin, max(s.tokens_absent) AS tokens_absent
        FROM (${source}) AS s
        LEFT JOIN (SELECT job, run, workload FROM steelyard_store.job_fact FINAL) AS f ON f.job = s.job
        GROUP BY run, workload, vendor, chip, part, bucket
    ),
    runs AS
    (
        SELECT
            run, workload, vendor, chip, part,
            max(job) AS job, max(nodes) AS nodes, max(devices) AS devices, min(bucket) AS from_ts, max(bucket) + ${bucket_s} AS to_ts,
            max(steps_origin) AS steps_origin, max(tokens_origin) AS tokens_origin, max(tokens_absent) AS tokens_absent,
            sum(wall_s) AS all_wall_s, sum(energy_wall_s) AS all_energy_wall_s, sum(marked_device_s) > 0 AS marks,
            arraySort(x -> x.1, groupArray((
                bucket, toFloat64(steps), toFloat64(calm_steps),
                tokens, tokens_device_s, nonpad_tokens, nonpad_device_s, loss_tokens, loss_device_s,
                wall_tokens, wall_s, energy_tokens, energy_j, calm_tokens, calm_energy_j))) AS rows
        FROM series
        GROUP BY run, workload, vendor, chip, part
    ),
    -- one step a level: an alias that is used in the same SELECT is planned anew for each use
    paired AS
    (
    SELECT * EXCEPT (rows), arrayJoin([
        ('tokens_per_s_device', 'productive', 'processed', arrayMap(x -> (x.4, x.5, x.2), rows)),
        ('tokens_per_s_device', 'productive', 'nonpad', arrayMap(x -> (x.6, x.7, x.2), rows)),
        ('tokens_per_s_device', 'productive', 'loss', arrayMap(x -> (x.8, x.9, x.2), rows)),
        ('tokens_per_s_device', 'wall', 'processed', arrayMap(x -> (if(x.10 IS NULL AND x.11 > 0, 0., x.10), x.11, x.2), rows)),
        ('tokens_per_j', 'productive', 'processed', arrayMap(x -> (x.14, x.15, x.3), rows)),
        ('tokens_per_j', 'wall', 'processed', arrayMap(x -> (if(x.12 IS NULL AND x.13 > 0, 0., x.12), x.13, x.2), rows))
    ]) AS pairs
        FROM runs
    ),
    present AS
    (
        -- (tokens, amount, steps) of the times that have both
        SELECT * EXCEPT (pairs), pairs.1 AS quantity, pairs.2 AS marked, pairs.3 AS token_kind,
            arrayMap(x -> (assumeNotNull(x.1), x.2, x.3), arrayFilter(x -> x.2 > 0 AND x.1 IS NOT NULL, pairs.4)) AS times
        FROM paired
    ),
    summed AS
    (
        SELECT * EXCEPT (times), times.1 AS c, times.2 AS s, length(times) AS n_rows,
            arraySum(times.1) AS sum_c, arraySum(times.2) AS sum_s, arraySum(times.3) AS n_steps
        FROM present
    ),
    sized AS
    (
        -- at most 39 batches, with five steps each on average
        SELECT *, greatest(1, intDiv(n_rows, 20), toUInt64(ceil(5 * n_rows / greatest(n_steps, 1)))) AS size
        FROM summed
    ),
    counted AS
    (
        SELECT *, toUInt64(greatest(least(1, n_rows), intDiv(n_rows, size))) AS batches, sum_c / if(sum_s > 0, sum_s, 1) AS ratio
        FROM sized
    ),
    residuals AS
    (
        -- of each batch; the last takes the rest
        SELECT * EXCEPT (c, s),
            arrayMap(b -> arraySum(arraySlice(c, b * size + 1, if(b + 1 = batches, n_rows, size)))
                - ratio * arraySum(arraySlice(s, b * size + 1, if(b + 1 = batches, n_rows, size))), range(batches)) AS u
        FROM counted
    ),
    squared AS
    (
        SELECT * EXCEPT (u), arraySum(x -> x * x, u) AS uu, arraySum((a, b) -> a * b, arrayPopBack(u), arrayPopFront(u)) AS neighbours
        FROM residuals
    ),
    correlated AS
    (
        SELECT *, sum_c > 0 AND sum_s > 0 AS has_figure,
            if(batches < 2 OR uu = 0, 0., least(0.9, greatest(0., neighbours / if(uu > 0, uu, 1) + 1 / batches))) AS r
        FROM squared
    ),
    batched AS
    (
        SELECT *, if(has_figure, log(ratio), NULL) AS y, (1 + r) / (1 - r) AS inflation
        FROM correlated
    )
SELECT
    b.run AS run, b.job AS job, nullIf(j.name, '') AS name, b.vendor AS vendor, nullIf(b.chip, '') AS chip, b.part AS per,
    b.workload AS workload, f.model_key AS model, f.sequence_length AS sequence_length, nullIf(f.precision, '') AS precision, nullIf(f.task, '') AS task,
    b.quantity AS quantity, b.marked AS marked, b.token_kind AS token_kind,
    b.y AS y,
    multiIf(NOT b.has_figure, NULL, b.batches < 2, 0., b.batches / (b.batches - 1) * b.uu / (b.sum_c * b.sum_c) * b.inflation) AS variance,
    if(b.has_figure, greatest(1, toInt64(floor(b.batches / b.inflation)) - 1), NULL) AS df,
    b.batches AS batches, if(b.has_figure, b.r, NULL) AS correlation,
    b.sum_c AS tokens, b.sum_s AS amount, b.n_steps AS steps, b.devices AS devices, b.nodes AS nodes,
    toDateTime64(b.from_ts, 3, 'UTC') AS from_ts, toDateTime64(b.to_ts, 3, 'UTC') AS to_ts,
    -- whether any step was marked as no training; and the share of the job's time that its energy is known of
    b.marks AS marks, if(b.quantity = 'tokens_per_j', b.all_energy_wall_s / nullIf(b.all_wall_s, 0), NULL) AS coverage,
    nullIf(f.network, '') AS network, f.software AS software, coalesce(nullIf(f.origin, ''), nullIf(d.origin, '')) AS origin, nullIf(b.steps_origin, '') AS steps_origin, nullIf(b.tokens_origin, '') AS tokens_origin,
    f.flops_per_token AS flops_per_token, f.price_per_device_hour AS price_per_device_hour, nullIf(f.currency, '') AS currency, f.recompute AS recompute,
    f.data_parallel AS data_parallel, f.tensor_parallel AS tensor_parallel, f.pipeline_parallel AS pipeline_parallel, f.global_batch AS global_batch,
    multiIf(
        b.chip = '', 'the device that the steps ran on is not known',
        NOT b.has_figure AND b.tokens_absent != '' AND b.sum_c = 0, concat('no tokens: ', b.tokens_absent),
        NOT b.has_figure AND b.steps_origin = '', 'no steps in the window',
        NOT b.has_figure AND b.quantity = 'tokens_per_j', 'no minute in which all of its energy counters were read',
        NOT b.has_figure AND b.marked = 'wall', 'its allocation is not known',
        NOT b.has_figure, concat('no productive ', b.token_kind, ' tokens in the window'),
        b.quantity = 'tokens_per_j' AND b.marked = 'wall' AND b.all_energy_wall_s < 0.5 * b.all_wall_s, 'energy covers less than half of its time',
        f.job = '', 'what it trains was never told',
        b.workload IS NULL, f.workload_absent,
        '') AS excluded
FROM batched AS b
LEFT JOIN (SELECT * FROM steelyard_store.job_fact FINAL) AS f ON f.job = b.job
LEFT JOIN (SELECT job, argMax(name, to_ts) AS name FROM steelyard_store.live_job GROUP BY job) AS j ON j.job = b.job
LEFT JOIN
(
    SELECT l.job AS job, any(toString(r.origin)) AS origin
    FROM (SELECT job, any(device_id) AS device_id FROM steelyard_store.live_job GROUP BY job) AS l
    INNER JOIN (SELECT device_id, origin FROM steelyard_store.device FINAL) AS r ON r.device_id = l.device_id
    GROUP BY job
) AS d ON d.job = b.job
ORDER BY workload, chip, run, quantity, marked, token_kind
