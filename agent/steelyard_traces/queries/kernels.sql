-- Kernels: tasks that are waits, copies or parents of others are in TASK too and have no row in COMPUTE_TASK_INFO.
SELECT name.value, type.value, core.value, task.startNs, task.endNs, task.deviceId, task.connectionId,
    kernel.globalTaskId
FROM COMPUTE_TASK_INFO AS kernel
JOIN TASK AS task ON task.globalTaskId = kernel.globalTaskId
LEFT JOIN STRING_IDS AS name ON name.id = kernel.name
LEFT JOIN STRING_IDS AS type ON type.id = kernel.opType
LEFT JOIN STRING_IDS AS core ON core.id = kernel.taskType
ORDER BY task.startNs
