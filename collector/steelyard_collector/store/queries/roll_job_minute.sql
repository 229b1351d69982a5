INSERT INTO steelyard_store.job_minute (
    job, agent, vendor, chip, part, bucket, run, n, ranks, devices, steps, device_s, tokens, nonpad_tokens, loss_tokens,
    checkpoint_steps, checkpoint_device_s, checkpoint_tokens, evaluate_steps, evaluate_device_s, evaluate_tokens,
    first_steps, first_device_s, first_tokens, step_hist, origin, tokens_origin, tokens_absent,
    held_devices, wall_s, energy_j, tensor_clock_sum, tensor_clock_n, loss_sum, loss_n, ver
)
WITH
    fromUnixTimestamp64Milli(${from_ms}, 'UTC') AS from_time,
    fromUnixTimestamp64Milli(${to_ms}, 'UTC') AS to_time,
    known AS
    (
        -- a meter is what one energy counter counts: a device, or a package of two dies
        SELECT device_id, agent, toString(d.vendor) AS vendor, if(d.chip = '', toString(d.name), toString(d.chip)) AS chip,
            toString(d.part) AS part, if(d.power_scope IN ('package', 'module') AND d.package_uid != '', d.package_uid, d.uid) AS meter
        FROM steelyard_store.device AS d FINAL
        WHERE ${agents}
    ),
    held AS
    (
        -- an interval is told again while it grows: its latest end counts
        SELECT job, agent, device_id, bucket, least(60., sum(overlap_s)) AS held_s
        FROM
        (
            SELECT
                job, agent, device_id,
                toDateTime(arrayJoin(range(
                    toUInt32(intDiv(toUnixTimestamp(greatest(from_ts, from_time)), 60)),
                    toUInt32(intDiv(toUnixTimestamp64Milli(least(until_ts, to_time)) + 59999, 60000)))) * 60, 'UTC') AS bucket,
                greatest(0, least(toUnixTimestamp64Milli(until_ts), toUnixTimestamp(bucket) * 1000 + 60000)
                    - greatest(toUnixTimestamp64Milli(from_ts), toUnixTimestamp(bucket) * 1000)) / 1000 AS overlap_s
            FROM
            (
                SELECT job, agent, device_id, from_ts, max(to_ts) AS until_ts
                FROM steelyard_store.job_interval
                WHERE ${agents} AND from_ts < to_time AND to_ts > from_time
                GROUP BY job, agent, device_id, from_ts
            )
        )
        GROUP BY job, agent, device_id, bucket
    ),
    sole AS
    (
        -- a process that doesn't say its device: its job's kind of device on that node, if there is one only
        SELECT h.job AS job, h.agent AS agent, any(k.vendor) AS vendor, any(k.chip) AS chip, any(k.part) AS part
        FROM (SELECT DISTINCT job, agent, device_id FROM held) AS h
        INNER JOIN known AS k ON k.device_id = h.device_id
        GROUP BY job, agent
        HAVING uniqExact(k.vendor, k.chip, k.part) = 1
    ),
    ended AS
    (
        SELECT
            s.*,
            s.devices * s.steps * s.step_time_s AS spent_s,
            s.tokens / s.token_copies AS own_tokens,
            multiIf(
                s.mark IN ('checkpoint', 'evaluate'), toString(s.mark),
                s.mark != '' OR s.step_time_s IS NULL, 'first',
                toInt64(s.step) - toInt64(s.steps) < ${first_steps}, 'first',
                ifNull(s.ts < s.begin_ts + toIntervalSecond(${first_s}), 0), 'first',
                'productive') AS class
        FROM steelyard_store.step AS s
        WHERE ${agents} AND s.ts >= from_time AND s.ts < to_time
    ),
    told AS
    (
        -- of a process; ranks repeat one another's steps, so the job's steps are those of the rank that told most
        SELECT
            e.job AS job, e.agent AS agent,
            if(k.meter != '', k.vendor, s.vendor) AS vendor, if(k.meter != '', k.chip, s.chip) AS chip, if(k.meter != '', k.part, s.part) AS part,
            toStartOfMinute(e.ts) AS bucket, e.pid AS pid, e.start_ts AS start_ts,
            max(e.run) AS run,
            count() AS n,
            max(ifNull(e.devices, 0)) AS devices,
            sumIf(e.steps, e.class = 'productive') AS steps,
            ifNull(sumOrNullIf(e.spent_s, e.class = 'productive'), 0) AS device_s,
            sumOrNullIf(e.own_tokens, e.class = 'productive' AND e.spent_s IS NOT NULL) AS tokens,
            if(countIf(e.class = 'productive' AND e.own_tokens IS NOT NULL AND e.nonpad_tokens IS NULL) > 0, NULL,
                sumOrNullIf(e.nonpad_tokens / e.token_copies, e.class = 'productive' AND e.spent_s IS NOT NULL)) AS nonpad_tokens,
            if(countIf(e.class = 'productive' AND e.own_tokens IS NOT NULL AND e.loss_tokens IS NULL) > 0, NULL,
                sumOrNullIf(e.loss_tokens / e.token_copies, e.class = 'productive' AND e.spent_s IS NOT NULL)) AS loss_tokens,
            sumIf(e.steps, e.class = 'checkpoint') AS checkpoint_steps,
            ifNull(sumOrNullIf(e.spent_s, e.class = 'checkpoint'), 0) AS checkpoint_device_s,
            sumOrNullIf(e.own_tokens, e.class = 'checkpoint' AND e.spent_s IS NOT NULL) AS checkpoint_tokens,
            sumIf(e.steps, e.class = 'evaluate') AS evaluate_steps,
            ifNull(sumOrNullIf(e.spent_s, e.class = 'evaluate'), 0) AS evaluate_device_s,
            sumOrNullIf(e.own_tokens, e.class = 'evaluate' AND e.spent_s IS NOT NULL) AS evaluate_tokens,
            sumIf(e.steps, e.class = 'first') AS first_steps,
            ifNull(sumOrNullIf(e.spent_s, e.class = 'first'), 0) AS first_device_s,
            sumOrNullIf(e.own_tokens, e.class = 'first' AND e.spent_s IS NOT NULL) AS first_tokens,
            -- steps by their time, in bins of 1 %
            sumMapIf(map(toInt16(floor(log(greatest(ifNull(e.step_time_s, 0), 1e-6)) / log(1.01))), toUInt64(e.steps)), e.class = 'productive') AS step_hist,
            max(e.origin) AS origin,
            max(e.tokens_origin) AS tokens_origin,
            max(e.tokens_absent) AS tokens_absent,
            ifNull(sumIf(e.loss * e.steps, e.mark = ''), 0) AS loss_sum,
            sumIf(e.steps, e.mark = '' AND e.loss IS NOT NULL) AS loss_n
        FROM ended AS e
        LEFT JOIN (SELECT toNullable(device_id) AS device_id, vendor, chip, part, meter FROM known) AS k ON k.device_id = e.device_id
        LEFT JOIN sole AS s ON s.job = e.job AND s.agent = e.agent
        GROUP BY job, agent, vendor, chip, part, bucket, pid, start_ts
    ),
    metered AS
    (
        SELECT k.meter AS meter, r.bucket AS bucket, max(r.energy_mj_inc) AS mj, max(if(r.energy_mj_inc IS NULL, 0, r.energy_mj_ms)) AS covered_ms
        FROM (SELECT device_id, bucket, energy_mj_inc, energy_mj_ms FROM steelyard_store.roll_1m FINAL
            WHERE device_id IN (SELECT device_id FROM known) AND bucket >= toDateTime(from_time) AND bucket < toDateTime(to_time)) AS r
        INNER JOIN known AS k ON k.device_id = r.device_id
        GROUP BY meter, bucket
    ),
    tensor AS
    (
        SELECT device_id, bucket, tensor_active_sum / nullIf(tensor_active_n, 0) * core_clock_mhz_sum / nullIf(core_clock_mhz_n, 0) AS tensor_clock
        FROM steelyard_store.roll_1m FINAL
        WHERE device_id IN (SELECT device_id FROM known) AND bucket >= toDateTime(from_time) AND bucket < toDateTime(to_time)
    ),
    allotted AS
    (
        SELECT job, agent, vendor, chip, part, bucket,
            toUInt32(sum(held_devices)) AS held_devices, sum(wall_s) AS wall_s,
            -- all of the job's meters over all of the minute, or nothing
            if(countIf(mj IS NULL OR NOT is_whole) = 0, sum(mj) / 1000, NULL) AS energy_j,
            ifNull(sum(meter_tensor_clock), 0) AS tensor_clock_sum, toUInt32(sum(meter_tensor_n)) AS tensor_clock_n
        FROM
        (
            SELECT
                h.job AS job, h.agent AS agent, k.vendor AS vendor, k.chip AS chip, k.part AS part, h.bucket AS bucket, k.meter AS meter,
                count() AS held_devices, sum(h.held_s) AS wall_s, sum(t.tensor_clock) AS meter_tensor_clock, count(t.tensor_clock) AS meter_tensor_n,
                any(m.mj) AS mj,
                min(h.held_s) >= ${whole_s} AND count() = any(a.devices) AND any(m.covered_ms) BETWEEN ${whole_s} * 1000 AND 120000 - ${whole_s} * 1000 AS is_whole
            FROM held AS h
            INNER JOIN known AS k ON k.device_id = h.device_id
            INNER JOIN (SELECT meter, count() AS devices FROM known GROUP BY meter) AS a ON a.meter = k.meter
            LEFT JOIN metered AS m ON m.meter = k.meter AND m.bucket = h.bucket
            LEFT JOIN tensor AS t ON t.device_id = h.device_id AND t.bucket = h.bucket
            GROUP BY job, agent, vendor, chip, part, bucket, meter
        )
        GROUP BY job, agent, vendor, chip, part, bucket
    )
SELECT
    job, agent, vendor, chip, part, bucket,
    max(p.run) AS run, sum(p.n) AS n, sum(p.ranks) AS ranks, sum(p.devices) AS devices,
    sum(p.steps) AS steps, sum(p.device_s) AS device_s, sum(p.tokens) AS tokens, sum(p.nonpad_tokens) AS nonpad_tokens, sum(p.loss_tokens) AS loss_tokens,
    sum(p.checkpoint_steps) AS checkpoint_steps, sum(p.checkpoint_device_s) AS checkpoint_device_s, sum(p.checkpoint_tokens) AS checkpoint_tokens,
    sum(p.evaluate_steps) AS evaluate_steps, sum(p.evaluate_device_s) AS evaluate_device_s, sum(p.evaluate_tokens) AS evaluate_tokens,
    sum(p.first_steps) AS first_steps, sum(p.first_device_s) AS first_device_s, sum(p.first_tokens) AS first_tokens,
    sumMap(p.step_hist) AS step_hist, max(p.origin) AS origin, max(p.tokens_origin) AS tokens_origin, max(p.tokens_absent) AS tokens_absent,
    sum(p.held_devices) AS held_devices, sum(p.wall_s) AS wall_s, sum(p.energy_j) AS energy_j,
    sum(p.tensor_clock_sum) AS tensor_clock_sum, sum(p.tensor_clock_n) AS tensor_clock_n, sum(p.loss_sum) AS loss_sum, sum(p.loss_n) AS loss_n,
    ${ver} AS ver
FROM
(
    SELECT
        t.job AS job, t.agent AS agent, t.vendor AS vendor, t.chip AS chip, t.part AS part, t.bucket AS bucket,
        max(t.run) AS run, sum(t.n) AS n, count() AS ranks, sum(t.devices) AS devices, max(t.steps) AS steps, sum(t.device_s) AS device_s,
        sum(t.tokens) AS tokens,
        if(countIf(t.tokens IS NOT NULL AND t.nonpad_tokens IS NULL) = 0, sum(t.nonpad_tokens), NULL) AS nonpad_tokens,
        if(countIf(t.tokens IS NOT NULL AND t.loss_tokens IS NULL) = 0, sum(t.loss_tokens), NULL) AS loss_tokens,
        max(t.checkpoint_steps) AS checkpoint_steps, sum(t.checkpoint_device_s) AS checkpoint_device_s, sum(t.checkpoint_tokens) AS checkpoint_tokens,
        max(t.evaluate_steps) AS evaluate_steps, sum(t.evaluate_device_s) AS evaluate_device_s, sum(t.evaluate_tokens) AS evaluate_tokens,
        max(t.first_steps) AS first_steps, sum(t.first_device_s) AS first_device_s, sum(t.first_tokens) AS first_tokens,
        sumMap(t.step_hist) AS step_hist, max(t.origin) AS origin, max(t.tokens_origin) AS tokens_origin, max(t.tokens_absent) AS tokens_absent,
        toUInt32(0) AS held_devices, CAST(NULL AS Nullable(Float64)) AS wall_s, CAST(NULL AS Nullable(Float64)) AS energy_j,
        toFloat64(0) AS tensor_clock_sum, toUInt32(0) AS tensor_clock_n, sum(t.loss_sum) AS loss_sum, toUInt32(sum(t.loss_n)) AS loss_n
    FROM told AS t
    GROUP BY job, agent, vendor, chip, part, bucket
    UNION ALL
    SELECT
        a.job, a.agent, a.vendor, a.chip, a.part, a.bucket,
        '', 0, 0, 0, 0, 0,
        NULL, NULL, NULL,
        0, 0, NULL, 0, 0, NULL, 0, 0, NULL,
        CAST(map(), 'Map(Int16, UInt64)'), '', '', '',
        a.held_devices, a.wall_s, a.energy_j, a.tensor_clock_sum, a.tensor_clock_n, 0, 0
    FROM allotted AS a
) AS p
GROUP BY job, agent, vendor, chip, part, bucket
SETTINGS ${settings}
