SELECT kind, frames, sum(duration_ns) AS ns, sum(samples) AS samples
FROM stacks
WHERE profile = {profile:String} AND job = {job:String}
    AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts <= fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY kind, frames
ORDER BY ns DESC, samples DESC
