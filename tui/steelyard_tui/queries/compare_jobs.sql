SELECT job, origin, chips, since, steps, step_p50_s, workload, tokens_absent
FROM jobs
WHERE state IN ('starting', 'running')
ORDER BY since
LIMIT 500
