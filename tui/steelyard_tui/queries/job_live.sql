SELECT
    vendor, chip, devices, from_ts, to_ts, tokens_per_s_device, mfu, mfu_basis, mfu_absent, ofu, ofu_validated, ofu_absent, tokens_per_j, cost_per_mtoken,
    currency, step_p50_s, step_p99_s, goodput
FROM efficiency_live
WHERE scope = 'job' AND job = {job:String}
