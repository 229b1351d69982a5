-- What has gone quiet, and for how long
SELECT node, device_index, chip, state, round(age_s) AS quiet_s, last_seen
FROM devices
WHERE state != 'live'
ORDER BY age_s DESC
