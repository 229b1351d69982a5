SELECT id, startNs, endNs FROM STEP_TIME ORDER BY startNs
