SELECT chip
FROM shares
WHERE reference = 'H100' AND window = '24h' AND origin = 'simulated' AND is_shown AND lo IS NOT NULL
