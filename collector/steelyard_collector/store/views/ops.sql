CREATE OR REPLACE VIEW steelyard.ops ${on_cluster} AS
SELECT
    r.profile AS profile, r.ts AS ts, r.job AS job, coalesce(nullIf(f.run, ''), r.job) AS run, f.model_key AS model, f.workload AS workload,
    nullIf(a.node, '') AS node, r.agent AS agent, r.device_id AS device_id, nullIf(d.vendor, '') AS vendor, nullIf(d.chip, '') AS chip, r.rank AS rank,
    coalesce(nullIf(d.origin, ''), nullIf(a.origin, '')) AS origin,
    r.by AS by, r.name AS name, nullIf(r.class_name, '') AS class, nullIf(r.core, '') AS core,
    r.count AS count, r.total_ns AS total_ns, r.self_ns AS self_ns, r.min_ns AS min_ns, r.max_ns AS max_ns,
    nullIf(r.shapes, '') AS shapes, coalesce(nullIf(r.precision, ''), nullIf(f.precision, '')) AS precision, r.flops AS flops, r.flops / nullIf(r.total_ns, 0) / 1e3 AS tflops,
    multiIf(precision = 'bfloat16', k.bf16_tflops, precision = 'float16', k.fp16_tflops, NULL) AS peak_tflops,
    tflops / peak_tflops AS peak_share
FROM steelyard_store.profile_row AS r
LEFT JOIN (SELECT agent, node, origin FROM steelyard_store.agent FINAL) AS a ON a.agent = r.agent
LEFT JOIN (SELECT toNullable(device_id) AS device_id, vendor, chip, part, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = r.device_id
LEFT JOIN (SELECT job, run, model_key, workload, precision FROM steelyard_store.job_fact FINAL) AS f ON f.job = r.job
LEFT JOIN (SELECT chip, part, bf16_tflops, fp16_tflops FROM steelyard_store.chip_peak FINAL WHERE is_known = 1) AS k ON k.chip = d.chip AND k.part = d.part
WHERE r.by != 'part'
