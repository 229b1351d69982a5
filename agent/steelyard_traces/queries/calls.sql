-- Operators of torch on the host. Their times are texts.
SELECT api.globalTid, CAST(api.startNs AS INTEGER), CAST(api.endNs AS INTEGER), name.value
FROM PYTORCH_API AS api
JOIN STRING_IDS AS name ON name.id = api.name
WHERE api.type = 50001 AND name.value NOT LIKE 'ProfilerStep#%'
