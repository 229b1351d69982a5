-- what there is of jobs in a window: its first minute, and the end of its newest closed hour; no row for nothing
SELECT
    -- an hour is told from its beginning; its minutes say when in it
    if(minute_s > 0 AND (hour_s = 0 OR minute_s < hour_s + 3600), minute_s, hour_s) AS first_s, hours_end_s
FROM
(
    SELECT toUnixTimestamp(min(bucket)) AS minute_s FROM steelyard_store.job_minute
    WHERE bucket >= toDateTime(${from_s}, 'UTC') AND bucket < toDateTime(${to_s}, 'UTC')
) AS m
CROSS JOIN
(
    SELECT toUnixTimestamp(min(bucket)) AS hour_s, if(count() = 0, 0, toUnixTimestamp(max(bucket)) + 3600) AS hours_end_s
    FROM steelyard_store.job_hour WHERE bucket >= toDateTime(${from_s}, 'UTC') AND bucket < toDateTime(${to_s}, 'UTC')
) AS h
WHERE first_s > 0
