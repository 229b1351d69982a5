SELECT
    p.devices > 0 AS has_device, p.steps IS NOT NULL AS has_steps, ifNull(p.chip, '') AS chip, p.origin AS origin, count() AS windows, countIf(p.profiler != 'msprof') AS with_sums,
    min(p.ts) AS from_ts, max(p.ts) AS to_ts, any(p.profile) AS profile, arraySort(arrayFilter(job -> job != '', groupUniqArray(ifNull(p.job, '')))) AS jobs, any(p.rank) AS rank, uniqExact(p.rank) AS ranks, any(p.node) AS node,
    any(p.trace_chip) AS trace_chip, any(p.format) AS format, min(p.devices) AS least_devices, max(p.devices) AS most_devices,
    sum(p.steps) AS steps, sum(p.steps * greatest(p.devices, 1)) AS device_steps,
    if(count(p.tokens_per_step) = count(), sum(p.tokens_per_step * p.steps), NULL) AS tokens,
    sum(p.window_ns) AS window_ns, sum(p.compute_ns) AS compute_ns, sum(p.communication_ns) AS communication_ns,
    sum(p.overlapped_ns) AS overlapped_ns, sum(p.memory_copy_ns) AS memory_copy_ns, sum(p.gaps) AS gaps,
    max(p.longest_gap_ns) AS longest_gap_ns, count(p.data_wait_ns) = count() AS has_timeline, sum(p.kernels) AS kernels, sum(p.kernels_ns) AS kernels_ns,
    max(p.sampled_hz) AS sampled_hz, arrayDistinct(arrayFlatten(groupUniqArray(20)(p.notes))) AS notes
FROM (SELECT * FROM profiles WHERE ${chosen}) AS p
GROUP BY has_device, has_steps, chip, origin
ORDER BY has_device AND has_steps DESC, has_device DESC, window_ns DESC
