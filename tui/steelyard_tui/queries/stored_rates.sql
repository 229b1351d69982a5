SELECT
    r.node AS node, r.device_index AS device, r.link AS link, r.direction AS direction, ifNull(r.part, '') AS part,
    if(count(r.samples) = count(), sum(r.mean_bytes_per_s * r.samples) / sum(r.samples), avg(r.mean_bytes_per_s)) AS mean_bytes_per_s,
    min(r.min_bytes_per_s) AS min_bytes_per_s, max(r.max_bytes_per_s) AS max_bytes_per_s, sum(r.samples) AS samples
FROM rates AS r
WHERE origin = {origin:String} AND profile IN (SELECT profile FROM profiles WHERE ${chosen})
GROUP BY node, device, link, direction, part
ORDER BY node, device, indexOf(['hbm', 'ddr', 'hccs', 'pcie', 'roce'], link), direction DESC, toUInt32OrZero(part), part
