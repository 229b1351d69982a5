CREATE OR REPLACE VIEW steelyard.nodes ${on_cluster} AS
WITH
    ${window_ms} AS window_ms
SELECT
    a.node AS node,
    a.agent AS agent,
    a.origin AS origin,
    d.vendors AS vendors,
    d.chips AS chips,
    d.devices AS devices,
    d.reporting AS reporting,
    d.jobs AS jobs,
    h.cpu_busy AS cpu_busy,
    h.load_1m AS load_1m,
    h.mem_used_bytes AS mem_used_bytes,
    nullIf(a.memory_bytes, 0) AS mem_total_bytes,
    d.power_w AS power_w,
    d.busy AS busy,
    d.core_active AS core_active,
    t.clock_offset_ms AS clock_offset_ms,
    coalesce(least(h.age_s, d.age_s), h.age_s, d.age_s) AS age_s,
    multiIf(age_s IS NULL, 'silent', age_s * 1000 <= window_ms, 'live', age_s <= 60 + window_ms / 1000, 'stale', 'silent') AS state,
    nullIf(a.os, '') AS os,
    nullIf(a.kernel, '') AS kernel,
    nullIf(a.arch, '') AS arch,
    nullIf(a.cpus, 0) AS cpus
FROM (SELECT * FROM steelyard_store.agent FINAL) AS a
LEFT JOIN (SELECT agent, clock_offset_ms FROM steelyard_store.agent_state FINAL) AS t ON t.agent = a.agent
LEFT JOIN
(
    SELECT
        agent,
        arraySort(groupUniqArray(vendor)) AS vendors,
        arraySort(groupUniqArray(chip)) AS chips,
        count() AS devices,
        countIf(state = 'live') AS reporting,
        arraySort(groupUniqArrayIf(job, state != 'silent')) AS jobs,
        -- power of the host's CPU is not a device's
        sumIf(v.power_w, v.state = 'live' AND v.kind != 'cpu') AS power_w,
        -- a cut AMD GPU's figure is the mean over its partitions already; NVIDIA's tells none, and its instances do
        avgIf(v.busy, v.state = 'live' AND v.kind != 'cpu' AND v.part != 'partition') AS busy,
        avgIf(v.core_active, v.state = 'live' AND v.kind != 'cpu' AND v.part != 'partition') AS core_active,
        min(v.age_s) AS age_s
    FROM steelyard.devices AS v
    GROUP BY agent
) AS d ON d.agent = a.agent
LEFT JOIN
(
    SELECT
        r.agent AS agent,
        r.cpu_busy AS cpu_busy,
        r.load_1m AS load_1m,
        r.mem_used_bytes AS mem_used_bytes,
        if(r.newest_ts IS NULL, NULL, greatest(0, (toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(r.newest_ts) + ifNull(o.clock_offset_ms, 0)) / 1000)) AS age_s
    FROM
    (
        SELECT
            agent,
            toNullable(max(ts)) AS newest_ts,
            argMax(raw_host.cpu_busy, ts) AS cpu_busy,
            argMax(raw_host.load_1m, ts) AS load_1m,
            argMax(raw_host.mem_used_bytes, ts) AS mem_used_bytes
        FROM steelyard_store.raw_host
        WHERE ts >= now64(3, 'UTC') - INTERVAL 60 SECOND
        GROUP BY agent
    ) AS r
    LEFT JOIN (SELECT agent, clock_offset_ms FROM steelyard_store.agent_state FINAL) AS o ON o.agent = r.agent
) AS h ON h.agent = a.agent
