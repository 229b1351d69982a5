-- who holds which device now, in groups of peers
SELECT h.job AS job, d.vendor AS vendor, d.chip AS chip, h.device_id AS device_id, r.rank AS rank, toUnixTimestamp(h.since) AS since_s
FROM
(
    SELECT job, device_id, min(from_ts) AS since
    FROM steelyard_store.live_job FINAL
    WHERE closed = 0 AND to_ts >= toDateTime64(${now_s}, 3, 'UTC') - INTERVAL 2 MINUTE
    GROUP BY job, device_id
) AS h
INNER JOIN (SELECT device_id, vendor, chip FROM steelyard_store.device FINAL WHERE kind != 'cpu') AS d ON d.device_id = h.device_id
LEFT JOIN
(
    SELECT job, assumeNotNull(device_id) AS device_id, argMax(rank, ts) AS rank
    FROM steelyard_store.training
    WHERE device_id IS NOT NULL
    GROUP BY job, device_id
) AS r ON r.job = h.job AND r.device_id = h.device_id
ORDER BY job, vendor, chip, device_id
