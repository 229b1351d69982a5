state = 'stored' AND (job = {job:String} OR profile IN splitByChar(',', {profiles:String}))
    AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts <= fromUnixTimestamp64Milli({to_ms:Int64})
    AND ({rank:Int64} < 0 OR rank = {rank:Int64})
