-- the signals of a rank over a minute in which it worked: larger is slower
SELECT
    device_id,
    intDiv(toUnixTimestamp(bucket), 60) AS minute,
    core_clock_mhz_n / nullIf(core_clock_mhz_sum, 0) AS clock,
    core_active_n / nullIf(core_active_sum, 0) AS host
FROM steelyard_store.roll_1m FINAL
WHERE device_id IN (${devices}) AND bucket >= toDateTime(${from_s}, 'UTC') AND bucket < toDateTime(${to_s}, 'UTC')
    AND busy_sum > 0.1 * busy_n
