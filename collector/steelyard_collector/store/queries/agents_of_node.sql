SELECT agent, node, toString(origin) AS origin FROM steelyard_store.agent FINAL WHERE node = {node:String} ORDER BY last_seen DESC, agent DESC
