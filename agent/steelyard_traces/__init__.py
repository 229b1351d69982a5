"""Reads what profilers leave behind: operators, kernels and where a step's time went, in integer nanoseconds."""
