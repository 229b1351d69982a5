"""Whether the agent sees the host's process ids, which vendors' libraries answer in."""

from pathlib import Path
from typing import Final

# PROC_PID_INIT_INO of the kernel: the first pid namespace has this inode on every Linux since 3.8.
_FIRST_NAMESPACE: Final = 0xEFFFFFFC


def sees_host_pids(proc: Path = Path("/proc")) -> bool:
    """True in the host's own pid namespace, or where the kernel doesn't tell.

    Args:
        proc: root of procfs.
    """
    try:
        return (proc / "self/ns/pid").stat().st_ino == _FIRST_NAMESPACE
    except OSError:
        return True
