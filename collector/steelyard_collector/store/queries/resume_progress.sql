SELECT agent, epoch, kind, max(seq) AS seq
FROM
(
    SELECT agent, epoch, kind, seq FROM steelyard_store.progress
    UNION ALL
    SELECT agent, epoch, kind, seq_to AS seq FROM steelyard_store.gap
) AS s
GROUP BY agent, epoch, kind
