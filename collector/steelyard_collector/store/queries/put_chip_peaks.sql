INSERT INTO steelyard_store.chip_peak (${columns}, ver)
SELECT ${columns}, (SELECT max(ver) FROM steelyard_store.chip_peak) + 1 FROM steelyard_store.device_peak
SETTINGS ${settings}
