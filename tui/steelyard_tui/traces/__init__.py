"""Recordings of profilers, read from files: what `ops` and `diff` do without a collector."""
