-- Whole collectives, not the small tasks that they consist of. Older versions say no device here.
SELECT name.value, type.value, 'COMMUNICATION', operation.startNs, operation.endNs, NULL, operation.connectionId
FROM COMMUNICATION_OP AS operation
LEFT JOIN STRING_IDS AS name ON name.id = operation.opName
LEFT JOIN STRING_IDS AS type ON type.id = operation.opType
ORDER BY operation.startNs
