SELECT claim, subject, chip, claimed_of, reference, unit, quantity, value, near, said_by, said_on, origin, verdict, reason, ratio, lo, hi, kind, probability, n_a, n_r, workloads
FROM claims
WHERE window = {window:String}
ORDER BY claim, chip, reference, origin
