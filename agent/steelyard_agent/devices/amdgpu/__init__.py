"""AMD GPUs, by the files that the kernel's driver keeps in sysfs: nothing to install, nothing to load."""
