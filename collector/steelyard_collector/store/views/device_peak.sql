CREATE OR REPLACE VIEW steelyard_store.device_peak ${on_cluster} AS
-- what one device of a chip can do at best, by what the device is of its package: a die's share where the table gives the package's;
-- read by everybody out of the table chip_peak
SELECT
    w.*,
    w.share IS NOT NULL AS is_known,
    -- of one whole package, of a device's figure
    if(w.part IN ('die', 'gcd'), w.dies, 1) AS devices_per_package
FROM
(
    SELECT
        c.name AS chip, part, c.dies AS dies, c.clock_mhz AS clock_mhz, c.basis AS basis, x.ofu AS ofu, x.ofu_validated AS ofu_validated,
        multiIf(c.per = part, 1., c.per = 'package' AND part IN ('die', 'gcd'), 1. / c.dies, NULL) AS share,
        c.bf16_tflops * share AS bf16_tflops,
        -- every chip that has both runs them at one rate
        coalesce(c.fp16_tflops, c.bf16_tflops) * share AS fp16_tflops,
        x.marketed_bf16_tflops * share AS marketed_bf16_tflops,
        x.ceiling_tflops * share AS ceiling_tflops, nullIf(x.ceiling_source, '') AS ceiling_source,
        p.price_per_device_hour AS price_per_device_hour, nullIf(p.currency, '') AS currency
    FROM (SELECT * FROM steelyard_store.chip FINAL) AS c
    ARRAY JOIN ['package', 'die', 'gcd'] AS part
    LEFT JOIN (SELECT * FROM steelyard_store.chip_ceiling FINAL) AS x ON x.name = c.name
    LEFT JOIN (SELECT * FROM steelyard_store.price FINAL) AS p ON p.chip = c.name
) AS w
