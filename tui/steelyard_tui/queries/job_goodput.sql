SELECT vendor, chip, part, wall_s, productive_s, checkpoint_s, evaluate_s, first_steps_s, outside_steps_s, goodput, absent
FROM goodput
WHERE job = {job:String}
ORDER BY vendor, chip, part
