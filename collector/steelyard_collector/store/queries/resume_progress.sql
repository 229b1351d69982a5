SELECT agent, epoch, kind, max(seq) AS seq
FROM steelyard_store.progress
GROUP BY agent, epoch, kind
UNION ALL
SELECT agent, epoch, kind, max(seq_to) AS seq
FROM steelyard_store.gap
GROUP BY agent, epoch, kind
ORDER BY agent, epoch, kind, seq
