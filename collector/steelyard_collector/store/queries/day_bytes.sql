SELECT
    replaceRegexpOne(table, '_local$$', '') AS name,
    toDateOrNull(partition) AS day,
    sum(bytes_on_disk) AS bytes,
    toUnixTimestamp(max(modification_time)) * 1000 AS changed_ms
FROM ${parts}
WHERE database = 'steelyard_store' AND active
GROUP BY name, day
ORDER BY day, name
