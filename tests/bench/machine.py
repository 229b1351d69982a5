"""The machine that a bench ran on, and what its processes cost."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def describe_machine() -> str:
    """The processor, its cores and memory, the kernel and the Python, in one line."""
    cpu = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "CPU implementer")):
            cpu = line.partition(":")[2].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cpu}, {cores} cores, {memory_gib:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has used since it began."""

    cpu_s: float
    rss_mb: float
    wakeups: int


def cost_of(pid: int) -> Cost:
    """CPU time (its own, its threads'), resident memory and voluntary context switches of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    rss_kb = 0
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            rss_kb = int(line.split()[1])
    return Cost((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, rss_kb / 1024, _wakeups(pid))


def busy_s() -> float:
    """CPU time that all processes of the machine have used since it began."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text(encoding="utf-8").split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S


def _wakeups(pid: int) -> int:
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (task / "status").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in text.splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                count += int(line.split()[1])
    return count


def wait_until_idle(pid: int, *, cores: float = 0.08, quiet_s: float = 4.0, limit_s: float = 120.0) -> bool:
    """Waits until a process uses next to nothing for some seconds: merges that an insert has left behind are done.

    Returns:
        Whether it went quiet within the limit.
    """
    give_up = time.monotonic() + limit_s
    while time.monotonic() < give_up:
        before = cost_of(pid).cpu_s
        time.sleep(quiet_s)
        if cost_of(pid).cpu_s - before <= cores * quiet_s:
            return True
    return False


def wait_for(condition: Callable[[], bool], what: str, limit_s: float, *, every_s: float = 0.05) -> None:
    """Polls until a condition holds.

    Raises:
        TimeoutError: it did not, in time; says what was awaited.
    """
    give_up = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(every_s)
