"""The sub-commands of `steelyard-collector`, one file each."""
