SELECT o.by AS by, o.name AS name, ifNull(o.class, '') AS class, ifNull(o.core, '') AS core, sum(o.count) AS calls, sum(o.total_ns) AS total_ns,
    sum(o.self_ns) AS self_ns, min(o.min_ns) AS min_ns, max(o.max_ns) AS max_ns,
    if(count(o.flops) = count(), sum(o.flops), NULL) AS flops, if(uniqExact(ifNull(o.shapes, '')) = 1, any(o.shapes), NULL) AS shapes,
    if(uniqExact(ifNull(o.precision, '')) = 1, any(o.precision), NULL) AS precision
FROM ops AS o
WHERE o.ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND o.ts <= fromUnixTimestamp64Milli({to_ms:Int64}) AND o.profile IN
(
    SELECT profile FROM profiles
    WHERE (devices > 0) = {has_device:Bool} AND (steps IS NOT NULL) = {has_steps:Bool} AND ifNull(chip, '') = {chip:String} AND origin = {origin:String} AND ${chosen}
)
GROUP BY by, name, class, core
ORDER BY if(by = 'call', self_ns, total_ns) DESC, name
