CREATE OR REPLACE VIEW steelyard.gaps ${on_cluster} AS
SELECT
    g.agent AS agent,
    nullIf(a.node, '') AS node,
    g.epoch AS epoch,
    transform(g.kind, [${kind_numbers}], [${kind_names}], toString(g.kind)) AS kind,
    g.seq_from AS seq_from,
    g.seq_to AS seq_to,
    g.from_ts AS from_ts,
    g.to_ts AS to_ts,
    g.reason AS reason,
    g.recorded AS recorded
FROM (SELECT * FROM steelyard_store.gap FINAL) AS g
LEFT JOIN (SELECT agent, node FROM steelyard_store.agent FINAL) AS a ON a.agent = g.agent
