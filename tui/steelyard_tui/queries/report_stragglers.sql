SELECT job, rank, node, vendor, chip, origin, uid, kind, cause, since, last_ts, round(100 * slow_ratio, 1) AS slow_pct, round(100 * gain_ratio, 1) AS gain_pct, ranks,
    profile, confirmed, multiIf(confirmed, 'confirmed', confirmed = 0, 'refuted', confirmed_absent) AS by_profile
FROM straggler_history
WHERE last_ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND since < fromUnixTimestamp64Milli({to_ms:Int64})
ORDER BY gain_ratio DESC, job, rank, since
