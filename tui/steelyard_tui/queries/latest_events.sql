SELECT ts, severity, node, chip, vendor, text, origin
FROM events
ORDER BY ts DESC
LIMIT 20
