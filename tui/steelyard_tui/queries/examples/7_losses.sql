-- Samples that are lost for good, and why
SELECT node, kind, from_ts, to_ts, seq_to - seq_from + 1 AS messages, reason
FROM gaps
ORDER BY recorded DESC
