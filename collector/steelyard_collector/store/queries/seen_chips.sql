SELECT chip, any(vendor) AS vendor FROM steelyard_store.device FINAL WHERE chip != '' GROUP BY chip
