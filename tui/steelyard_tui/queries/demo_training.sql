SELECT
    s.job AS job, ifNull(s.chip, 'CPU') AS chip, s.origin AS origin, sum(s.steps) AS steps, toUInt64(sum(s.tokens)) AS tokens,
    round(sumIf(s.tokens, s.device_s IS NOT NULL) / sumIf(s.device_s, s.tokens IS NOT NULL)) AS `tokens/s/device`,
    any(s.tokens_origin) AS `tokens are`
FROM steps AS s
WHERE s.mark IS NULL AND s.origin = 'measured' AND s.ts > now() - INTERVAL 1 MINUTE
GROUP BY job, chip, origin
HAVING tokens > 0
ORDER BY job
