CREATE OR REPLACE VIEW steelyard.host_history ${on_cluster} AS
-- a node at one time; counters as they count
SELECT
    h.ts AS ts, a.node AS node, h.agent AS agent, a.origin AS origin,
${host_metrics}
FROM steelyard_store.raw_host AS h
INNER JOIN (SELECT agent, node, toString(origin) AS origin FROM steelyard_store.agent FINAL) AS a ON a.agent = h.agent
