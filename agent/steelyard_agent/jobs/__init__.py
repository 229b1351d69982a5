"""Who trains on a device: one scheduler per file."""
