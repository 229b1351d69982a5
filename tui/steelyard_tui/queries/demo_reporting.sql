SELECT toUInt32(sum(reporting)) AS reporting FROM fleet_live
