"""Who trains on a device: its processes, their ranks, and the job that they belong to."""
