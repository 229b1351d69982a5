SELECT rank, device_id, node, chip, kind, cause, since, slow_ratio, gain_ratio, ranks,
    profile, confirmed, profile_excess, confirmed_absent
FROM stragglers
WHERE job = {job:String}
ORDER BY gain_ratio DESC
