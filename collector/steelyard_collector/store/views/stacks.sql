CREATE OR REPLACE VIEW steelyard.stacks ${on_cluster} AS
SELECT
    s.profile AS profile, s.ts AS ts, s.job AS job,
    nullIf(a.node, '') AS node, s.agent AS agent, s.device_id AS device_id, nullIf(d.vendor, '') AS vendor, nullIf(d.chip, '') AS chip, s.rank AS rank,
    coalesce(nullIf(d.origin, ''), nullIf(a.origin, '')) AS origin,
    s.kind AS kind, s.frames AS frames, arrayStringConcat(s.frames, ';') AS stack,
    s.duration_ns AS duration_ns, s.samples AS samples, nullIf(s.waits, '') AS waits, nullIf(s.thread, '') AS thread
FROM steelyard_store.stack AS s
LEFT JOIN (SELECT agent, node, origin FROM steelyard_store.agent FINAL) AS a ON a.agent = s.agent
LEFT JOIN (SELECT toNullable(device_id) AS device_id, vendor, chip, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = s.device_id
