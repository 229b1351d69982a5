CREATE OR REPLACE VIEW steelyard.devices ${on_cluster} AS
SELECT
    v.device_id AS device_id,
    v.uid AS uid,
    v.node AS node,
    v.agent AS agent,
    v.vendor AS vendor,
    v.kind AS kind,
    v.name AS name,
    nullIf(v.chip, '') AS chip,
    v.part AS part,
    nullIf(v.package_uid, '') AS package_uid,
    v.device_index AS device_index,
    nullIf(v.pci_address, '') AS pci_address,
    nullIf(v.numa_node, -1) AS numa_node,
    v.origin AS origin,
    nullIf(v.driver_version, '') AS driver_version,
    nullIf(v.power_scope, '') AS power_scope,
    nullIf(v.memory_bytes, 0) AS memory_bytes,
    v.first_seen AS first_seen,
    v.newest_ts AS last_seen,
    v.age_s AS age_s,
    v.state AS state,
    v.job AS job,
${fast_gauges},
    if(v.state = 'silent', NULL, ${hbm_total_bytes}) AS hbm_total_bytes,
    hbm_used_bytes / nullIf(hbm_total_bytes, 0) AS hbm_used_ratio
FROM
(
${newest_of_device}
) AS v
