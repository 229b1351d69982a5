SELECT
    from_ts, to_ts, scope, workload, origin, vendor, chip, reference, quantity, mode, unit, kind, is_shown, ratio, lo, hi, n_a, n_r, workloads,
    marked, token_kind, matched_on, prior_cv, prior_groups, reason, warnings, excluded, computed_at
FROM shares
WHERE window = {window:String} AND reference = {reference:String} AND (is_shown OR scope = 'workload')
ORDER BY chip, origin, quantity, mode, unit, scope, ratio DESC
