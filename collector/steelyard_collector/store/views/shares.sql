CREATE OR REPLACE VIEW steelyard.shares ${on_cluster} AS
SELECT
    window, from_ts, to_ts, scope, nullIf(workload, '') AS workload, nullIf(origin, '') AS origin, vendor, chip, reference,
    quantity, mode, unit, nullIf(kind, '') AS kind, is_shown = 1 AS is_shown, ratio, lo, hi, df, se, n_a, n_r, workloads,
    nullIf(marked, '') AS marked, nullIf(token_kind, '') AS token_kind, matched_on, prior_cv, prior_groups,
    nullIf(reason, '') AS reason, warnings, excluded, computed_at
FROM steelyard_store.share FINAL
WHERE (window, computed_at) IN (SELECT window, max(computed_at) FROM steelyard_store.share GROUP BY window)
ORDER BY to_ts - from_ts, reference, chip, quantity, mode, unit, origin, scope, workload, is_shown DESC, kind
