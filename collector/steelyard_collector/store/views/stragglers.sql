CREATE OR REPLACE VIEW steelyard.stragglers ${on_cluster} AS
SELECT
    s.job AS job, s.rank AS rank, s.device_id AS device_id, d.uid AS uid, nullIf(a.node, '') AS node, d.vendor AS vendor, nullIf(d.chip, '') AS chip,
    d.origin AS origin, s.kind AS kind, s.cause AS cause, s.since AS since, s.slow_ratio AS slow_ratio, s.gain_ratio AS gain_ratio, s.ranks AS ranks,
    nullIf(s.profile, '') AS profile, s.confirmed AS confirmed, s.profile_excess AS profile_excess, nullIf(s.confirmed_absent, '') AS confirmed_absent
FROM
(
    SELECT * FROM steelyard_store.straggler
    WHERE ver >= toUnixTimestamp64Milli(now64(3, 'UTC')) - 180000
        AND ver = (SELECT max(ver) FROM steelyard_store.straggler WHERE ver >= toUnixTimestamp64Milli(now64(3, 'UTC')) - 180000)
) AS s
INNER JOIN (SELECT device_id, agent, uid, vendor, chip, origin FROM steelyard_store.device FINAL) AS d ON d.device_id = s.device_id
LEFT JOIN (SELECT agent, node FROM steelyard_store.agent FINAL) AS a ON a.agent = d.agent
