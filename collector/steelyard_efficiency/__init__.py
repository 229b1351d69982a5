"""The statistics of the comparison: pure functions over sums, for the collector and for `steelyard compare --file`."""
