-- who holds which device now, in groups of peers: ranks of other pipeline stages do other work. Trainers lay stages outermost,
-- so that a stage's ranks follow one another; NULL where there are several and it isn't known of which one a rank is
WITH held AS
(
    SELECT job, device_id, min(from_ts) AS since
    FROM steelyard_store.live_job FINAL
    WHERE closed = 0 AND to_ts >= toDateTime64(${now_s}, 3, 'UTC') - INTERVAL 2 MINUTE
    GROUP BY job, device_id
),
told AS
(
    SELECT job, device_id, ts, rank, pipeline_parallel, tensor_parallel, world_size
    FROM steelyard_store.training
    WHERE job IN (SELECT job FROM held)
)
SELECT
    h.job AS job, d.vendor AS vendor, d.chip AS chip, h.device_id AS device_id, r.rank AS rank, toUnixTimestamp(h.since) AS since_s,
    p.tensor_parallel AS tensor_parallel,
    multiIf(
        ifNull(p.stages, 1) <= 1, toNullable(toInt32(0)),
        r.rank IS NULL OR p.ranks IS NULL OR p.ranks % p.stages != 0 OR r.rank >= p.ranks, NULL,
        toInt32(intDiv(assumeNotNull(r.rank), intDiv(assumeNotNull(p.ranks), assumeNotNull(p.stages))))) AS stage
FROM held AS h
INNER JOIN (SELECT device_id, vendor, chip FROM steelyard_store.device FINAL WHERE kind != 'cpu') AS d ON d.device_id = h.device_id
LEFT JOIN
(
    SELECT job, assumeNotNull(device_id) AS device_id, argMax(rank, ts) AS rank
    FROM told
    WHERE device_id IS NOT NULL
    GROUP BY job, device_id
) AS r ON r.job = h.job AND r.device_id = h.device_id
LEFT JOIN (SELECT job, argMax(pipeline_parallel, ts) AS stages, argMax(world_size, ts) AS ranks,
        argMax(tensor_parallel, ts) AS tensor_parallel FROM told GROUP BY job) AS p
    ON p.job = h.job
ORDER BY job, vendor, chip, stage, device_id
