-- each run's loss over the tokens of its productive steps since the window began
SELECT *
FROM
(
    SELECT
        vendor, chip, part, origin, run, any(model) AS model_name, any(task) AS task_name,
        intDiv(toUnixTimestamp64Milli(ts), {step_ms:Int64}) * {step_ms:Int64} AS at_ms,
        sum(loss * loss_steps) / nullIf(sum(loss_steps), 0) AS mean_loss,
        sum(sum(tokens)) OVER (PARTITION BY vendor, chip, part, origin, run ORDER BY at_ms) AS tokens_so_far
    FROM efficiency
    WHERE level = {level:String} AND ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND ts < fromUnixTimestamp64Milli({to_ms:Int64})
    GROUP BY vendor, chip, part, origin, run, at_ms
)
WHERE mean_loss IS NOT NULL AND tokens_so_far > 0
ORDER BY model_name, task_name, vendor, chip, part, origin, run, at_ms
