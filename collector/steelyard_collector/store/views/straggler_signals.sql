-- what is watched for slow ranks, as of the last quarter of an hour
CREATE OR REPLACE VIEW steelyard.straggler_signals ${on_cluster} AS
SELECT
    job, vendor, nullIf(chip, '') AS chip, stage, cause, length(devices) AS ranks, toDateTime64(next_minute * 60, 3, 'UTC') AS to_ts,
    arrayMin(baseline_minutes) AS baseline_values, nullIf(absent, '') AS absent
FROM steelyard_store.straggler_state FINAL
WHERE ver >= toUnixTimestamp64Milli(now64(3, 'UTC')) - 1200000
