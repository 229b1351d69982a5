CREATE OR REPLACE VIEW steelyard.claims ${on_cluster} AS
SELECT
    window, from_ts, to_ts, claim, subject, chip, claimed_of, reference, unit, quantity, value, near, said_by, said_on,
    nullIf(note, '') AS note, nullIf(origin, '') AS origin, verdict, nullIf(reason, '') AS reason, ratio, lo, hi,
    nullIf(kind, '') AS kind, probability, n_a, n_r, workloads, computed_at
FROM steelyard_store.claim FINAL
WHERE (window, computed_at) IN (SELECT window, max(computed_at) FROM steelyard_store.claim GROUP BY window)
ORDER BY to_ts - from_ts, claim, chip, reference, origin
