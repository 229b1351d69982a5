CREATE OR REPLACE VIEW steelyard.trainings ${on_cluster} AS
-- what a job trains, as its processes told it: of each fact where it is from, or why it isn't there
SELECT
    job, run, nullIf(origin, '') AS origin, start_ts, told_ts, model_key AS model, nullIf(architecture, '') AS architecture,
    nullIf(optimizer, '') AS optimizer, nullIf(precision, '') AS precision, nullIf(task, '') AS task,
    parameters, trainable_parameters, matmul_parameters, active_parameters, layers, heads, hidden, head_size, experts, active_experts,
    sequence_length, global_batch, data_parallel, tensor_parallel, pipeline_parallel, context_parallel, expert_parallel, recompute,
    declared_tokens_per_step, price_per_device_hour, nullIf(currency, '') AS currency, network, software,
    workload, nullIf(workload_absent, '') AS workload_absent, flops_per_token, nullIf(flops_absent, '') AS flops_absent,
    -- of the facts that FLOPs are counted of
    if(flops_per_token IS NULL, NULL, arrayStringConcat(arraySort(arrayDistinct(arrayFilter(x -> x != '', arrayMap(fact -> origins[fact],
        [if(ifNull(experts, 0) > 1, 'active_parameters', 'matmul_parameters'), 'layers', 'heads', if(head_size IS NULL, 'hidden', 'head_size'),
        'sequence_length'])))), ' and ')) AS flops_origin,
    origins, absent
FROM steelyard_store.job_facts
