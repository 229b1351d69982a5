-- who trains now: of a job, of a node, or one process of it; empty values select nothing
SELECT t.agent AS agent, any(a.node) AS node, any(a.origin) AS origin, t.job AS job, t.rank AS rank, t.pid AS pid
FROM
(
    SELECT agent, toString(job) AS job, rank, pid
    FROM steelyard_store.process
    WHERE ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE AND ({job:String} = '' OR job = {job:String}) AND ({pid:UInt32} = 0 OR pid = {pid:UInt32})
    UNION ALL
    SELECT agent, job, rank, pid
    FROM steelyard_store.step
    WHERE ts >= now64(3, 'UTC') - INTERVAL 2 MINUTE AND ({job:String} = '' OR job = {job:String}) AND ({pid:UInt32} = 0 OR pid = {pid:UInt32})
) AS t
INNER JOIN (SELECT agent, node, toString(origin) AS origin FROM steelyard_store.agent FINAL WHERE {node:String} = '' OR node = {node:String}) AS a ON a.agent = t.agent
GROUP BY agent, job, rank, pid
ORDER BY agent, rank, pid
