"""NVIDIA through NVML."""
