CREATE OR REPLACE VIEW steelyard_store.job_facts ${on_cluster} AS
-- what a job trains, one row a job, and what follows from it: the one place where FLOPs per token and the workload's key are defined;
-- read by everybody out of the table job_fact
SELECT
    w.*,
    multiIf(
        w.flops_per_token IS NOT NULL, '',
        ifNull(w.experts, 0) > 1 AND w.working_parameters IS NULL, 'active parameters of the experts not known',
        w.working_parameters IS NULL, 'matmul parameters not known',
        w.sequence_length IS NULL, 'sequence length not known',
        'layers, heads or head size not known') AS flops_absent,
    if(w.workload_absent = '',
        concat(w.model_key, ' | ', toString(w.sequence_length), ' | ', w.precision, ' | ', if(w.task = '', 'any task', w.task)), NULL) AS workload
FROM
(
    SELECT
        f.*,
        -- 6 N + 12 L H Q T (PaLM, appendix B); a frozen parameter's own gradient isn't computed, which is 2 of the 6
        6 * f.working_parameters - 2 * greatest(0, f.working_parameters - coalesce(toFloat64(f.trainable_parameters), f.working_parameters))
            + 12 * f.attention AS flops_per_token,
        multiIf(
            f.model_key IS NULL, 'model not known: neither its name nor its parameters',
            f.sequence_length IS NULL, 'sequence length not known',
            f.precision = '', 'precision not known',
            '') AS workload_absent
    FROM
    (
        SELECT
            n.*,
            if(n.told_run = '', n.job, n.told_run) AS run,
            -- experts: only the parameters that a token meets work on it
            toFloat64(if(ifNull(n.experts, 0) > 1, n.active_parameters, n.matmul_parameters)) AS working_parameters,
            toFloat64(n.layers) * n.heads * coalesce(toFloat64(n.head_size), n.hidden / n.heads) * n.sequence_length AS attention,
            -- to three digits: padding of the vocabulary differs with the parallel layout
            multiIf(
                n.model != '', n.model,
                n.parameters > 0, concat(if(n.architecture = '', 'model', n.architecture), ' ',
                    toString(round(n.parameters / exp10(floor(log10(n.parameters)) - 2)) * exp10(floor(log10(n.parameters)) - 2) / 1e6), 'M',
                    if(n.layers IS NULL, '', concat(' ', toString(n.layers), 'x', toString(ifNull(n.hidden, 0))))),
                NULL) AS model_key
        FROM
        (
            SELECT
                t.job AS job,
                max(t.run) AS told_run,
                min(t.start_ts) AS start_ts,
                max(t.ts) AS told_ts,
            any(toString(a.origin)) AS origin,
                -- within one node nothing goes over it
                if(uniqExact(t.agent) > 1, arrayStringConcat(arraySort(arrayFilter(x -> x != '', groupUniqArray(a.network))), ' and '), '') AS network,
${facts},
                argMax(t.software, t.ts) AS software,
                argMax(t.origins, (ifNull(t.rank, 0) = 0, t.ts)) AS origins,
                argMax(t.absent, (ifNull(t.rank, 0) = 0, t.ts)) AS absent
            FROM (SELECT * FROM steelyard_store.training FINAL) AS t
            LEFT JOIN (SELECT agent, origin, labels['network'] AS network FROM steelyard_store.agent FINAL) AS a ON a.agent = t.agent
            GROUP BY job
        ) AS n
    ) AS f
) AS w
