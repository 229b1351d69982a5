SELECT p.agent AS agent, a.node AS node, p.trace_bytes AS trace_bytes, toString(p.state) AS state, p.reason AS reason
FROM steelyard_store.profile AS p FINAL
LEFT JOIN (SELECT agent, node FROM steelyard_store.agent FINAL) AS a ON a.agent = p.agent
WHERE p.id = {id:String}
