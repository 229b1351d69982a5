CREATE OR REPLACE VIEW steelyard.chips ${on_cluster} AS
SELECT
    window, from_ts, to_ts, vendor, nullIf(chip, '') AS chip, part, origin, jobs, units, workloads,
    nullIf(workload, '') AS workload, tokens_per_s, tflops, mfu, nullIf(mfu_basis, '') AS mfu_basis,
    share_of_ceiling, ofu, tokens_per_j, cost_per_mtoken, nullIf(currency, '') AS currency, step_p50_s, step_p99_s, goodput, computed_at
FROM steelyard_store.chip_window FINAL
WHERE (window, computed_at) IN (SELECT window, max(computed_at) FROM steelyard_store.chip_window GROUP BY window)
ORDER BY to_ts - from_ts, vendor, chip, origin, part = 'package', part
