"""The reference workload, as a script for the Python that has torch."""
