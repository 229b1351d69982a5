-- the job's devices over the last minutes before the job's last word, by whole minutes
SELECT
    device_id, count() AS minutes, avg(busy) AS busy, avg(core_active) AS core_active, avg(core_clock_mhz) AS core_clock_mhz, avg(power_w) AS power_w,
    avg(throttle_power_ns_per_s) / 1e9 AS throttled_power, avg(throttle_thermal_ns_per_s) / 1e9 AS throttled_thermal,
    avg(throttle_hw_ns_per_s) / 1e9 AS throttled_hw, max(health_max) AS health, avg(ecc_uncorrected_per_s) AS ecc_uncorrected_per_s
FROM device_history
WHERE level = '1m' AND device_id IN (SELECT device_id FROM job_devices WHERE job = {job:String})
    AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
GROUP BY device_id
