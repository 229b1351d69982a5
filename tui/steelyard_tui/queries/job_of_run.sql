-- the jobs that a run was, the newest first: a restart is another job of the same run
SELECT job, min(from_ts) AS since, max(to_ts) AS until
FROM goodput
WHERE run = {job:String} AND job != ''
GROUP BY job
ORDER BY until DESC, since DESC
LIMIT 100
