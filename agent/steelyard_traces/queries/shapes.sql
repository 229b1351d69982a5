-- Shapes and types of the inputs, and shapes of the outputs, of kernels that have them.
SELECT kernel.globalTaskId, shapes.value, types.value, outputs.value
FROM COMPUTE_TASK_INFO AS kernel
JOIN STRING_IDS AS shapes ON shapes.id = kernel.inputShapes
JOIN STRING_IDS AS types ON types.id = kernel.inputDataTypes
JOIN STRING_IDS AS outputs ON outputs.id = kernel.outputShapes
