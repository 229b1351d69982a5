SELECT job, rank, node, vendor, chip, origin, uid, kind, cause, since, round(100 * slow_ratio, 1) AS slow_pct, round(100 * gain_ratio, 1) AS gain_pct, ranks
FROM stragglers
ORDER BY gain_ratio DESC, job, rank
