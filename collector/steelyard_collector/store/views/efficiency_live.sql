CREATE OR REPLACE VIEW steelyard.efficiency_live ${on_cluster} AS
SELECT
    scope, name, job, node, vendor, chip, part, origin, jobs, devices, workloads, workload, tokens_origin, tokens_absent, from_ts, to_ts,
    tokens_per_s_device, tokens_per_s_package, wall_tokens_per_s_device, tflops_per_device, mfu, mfu_basis, mfu_absent, share_of_ceiling, ofu, ofu_validated,
    ofu_absent, tokens_per_j, energy_coverage, cost_per_mtoken, currency, step_p50_s, step_p95_s, step_p99_s, goodput
FROM steelyard_store.live_efficiency
WHERE ver = (SELECT max(ver) FROM steelyard_store.live_efficiency) AND to_ts >= now64(3, 'UTC') - INTERVAL 5 MINUTE
