SELECT s.layer AS layer, s.class AS class, sum(s.duration_ns) AS duration_ns
FROM step_split AS s
WHERE s.ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND s.ts <= fromUnixTimestamp64Milli({to_ms:Int64}) AND s.profile IN
(
    SELECT profile FROM profiles
    WHERE (devices > 0) = {has_device:Bool} AND (steps IS NOT NULL) = {has_steps:Bool} AND ifNull(chip, '') = {chip:String} AND origin = {origin:String} AND ${chosen}
)
GROUP BY layer, class
