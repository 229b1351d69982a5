CREATE OR REPLACE VIEW steelyard.steps ${on_cluster} AS
SELECT
    s.ts AS ts,
    nullIf(s.job, '') AS job,
    if(s.run = '', nullIf(s.job, ''), s.run) AS run,
    nullIf(a.node, '') AS node,
    s.agent AS agent,
    s.device_id AS device_id,
    nullIf(d.chip, '') AS chip,
    s.pid AS pid,
    s.rank AS rank,
    s.local_rank AS local_rank,
    s.world_size AS world_size,
    s.step AS step,
    s.steps AS steps,
    s.step_time_s AS step_time_s,
    s.devices AS devices,
    s.devices * s.steps * s.step_time_s AS device_s,
    s.tokens / s.token_copies AS tokens,
    s.nonpad_tokens / s.token_copies AS nonpad_tokens,
    s.loss_tokens / s.token_copies AS loss_tokens,
    s.samples AS samples,
    s.host_gap_s AS host_gap_s,
    s.loss AS loss,
    nullIf(s.mark, '') AS mark,
    nullIf(s.origin, '') AS step_origin,
    nullIf(s.tokens_origin, '') AS tokens_origin,
    nullIf(s.tokens_absent, '') AS tokens_absent,
    a.origin AS origin
FROM steelyard_store.step AS s
LEFT JOIN (SELECT agent, node, origin FROM steelyard_store.agent FINAL) AS a ON a.agent = s.agent
LEFT JOIN (SELECT toNullable(device_id) AS device_id, chip FROM steelyard_store.device FINAL) AS d ON d.device_id = s.device_id
