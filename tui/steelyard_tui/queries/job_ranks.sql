-- what each rank told in the last minutes of the job's steps; a process that was started anew goes on for the one before
SELECT
    s.node AS node, s.rank AS rank, argMax(s.pid, s.ts) AS pid, argMax(s.device_id, s.ts) AS device_id, max(s.ts) AS last_step_at,
    max(s.step) AS last_step, sum(s.steps) AS steps,
    sumIf(s.steps * s.step_time_s, s.mark IS NULL) / nullIf(sumIf(s.steps, s.mark IS NULL AND s.step_time_s IS NOT NULL), 0) AS step_time_s,
    sumIf(s.host_gap_s, s.mark IS NULL AND s.step_time_s IS NOT NULL)
        / nullIf(sumIf(s.steps * s.step_time_s, s.mark IS NULL AND s.host_gap_s IS NOT NULL), 0) AS host_gap_share,
    argMaxOrNullIf(s.loss, s.ts, s.loss IS NOT NULL) AS loss
FROM steps AS s
WHERE s.job = {job:String} AND s.ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND s.ts <= fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY node, rank, if(s.rank IS NULL, s.pid, 0)
ORDER BY last_step_at, rank
