SELECT count() AS failed, argMax(reason, ts) AS reason FROM profiles
WHERE state = 'failed' AND (job = {job:String} OR profile IN splitByChar(',', {profiles:String})) AND ts >= fromUnixTimestamp64Milli({from_ms:Int64})
