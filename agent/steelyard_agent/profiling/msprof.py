"""CANN's msprof over NPUs, without a program of its own to run: samples of memory, HCCS, PCIe and RoCE.

Source: Huawei's pages on msprof and the sources of its exporters, as read; not verified on hardware.
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Final

import psutil

from steelyard_agent.profiling.landing import Unusable
from steelyard_agent.profiling.sampled import Sampled, Unsampled

# What all chips and versions take; the rates are means over a window, so that more would cost and tell no more.
RATE_HZ: Final = 10
_NICENESS: Final = 19
# Beyond the window: to begin, and to analyse what was sampled.
_MORE_S: Final = 300.0
_MOST_CPU_S: Final = 300
_LONGEST_REASON: Final = 300
_PLACES: Final = ("/usr/local/Ascend/cann/bin/msprof", "/usr/local/Ascend/ascend-toolkit/latest/bin/msprof")
_KEPT: Final = ("msprof_*.db", *(f"mindstudio_profiler_output/{link}_*.csv" for link in ("hbm", "ddr", "hccs", "pcie")))


class Msprof:
    """One run of the program."""

    def __init__(
        self,
        devices: Sequence[int],
        seconds: int,
        target: Path,
        most_bytes: int,
        *,
        program: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts it, behind everybody for the CPU and the disk.

        Args:
            devices: as their vendor counts.
            seconds: how long.
            target: a new folder, which it fills.
            most_bytes: of each file.
            program: its path; empty for the usual places.
            clock: seconds that never jump.

        Raises:
            Unsampled: it isn't installed, or there is no room.
        """
        self._clock = clock
        self._late_s = clock() + seconds + _MORE_S
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            target.mkdir(mode=0o700)
            self._child = subprocess.Popen(
                [program or find_program(), *_options(devices, seconds, target)],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                cwd=target,
                # Its logs go with the rest, and not to a home that the agent may not have.
                env={**os.environ, "ASCEND_PROCESS_LOG_PATH": str(target / "log")},
                # It has children, which end with it.
                start_new_session=True,
            )
        except OSError as error:
            self._said.close()
            raise Unsampled(
                f"msprof can't be run ({error.strerror}); it comes with CANN, whose set_env.sh puts it on the agent's "
                "path; see docs/profiling.md"
            ) from error
        # Gone already: its result will tell.
        with contextlib.suppress(OSError, psutil.Error):
            self._hold_back(self._child.pid, most_bytes)

    def poll(self) -> Sampled | None:
        """What it took, its files being in the folder; None while it is at work.

        Raises:
            Unsampled: it failed, or didn't end.
        """
        pid, status, usage = os.wait4(self._child.pid, os.WNOHANG)
        if not pid:
            if self._clock() < self._late_s:
                return None
            self.close()
            raise Unsampled("msprof did not come to an end")
        self._child.returncode = os.waitstatus_to_exitcode(status)
        try:
            if self._child.returncode:
                raise Unsampled(f"msprof: {self._reason()}")
        finally:
            self._said.close()
        return Sampled("", usage.ru_utime + usage.ru_stime)

    def close(self) -> None:
        """Ends it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._said.close()

    def _hold_back(self, pid: int, most_bytes: int) -> None:
        os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
        resource.prlimit(pid, resource.RLIMIT_CPU, (_MOST_CPU_S,) * 2)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes,) * 2)
        psutil.Process(pid).ionice(psutil.IOPRIO_CLASS_IDLE)

    def _reason(self) -> str:
        self._said.seek(0)
        lines = self._said.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        told = [line for line in lines if "ERROR" in line] or lines
        return told[-1].strip()[:_LONGEST_REASON] if told else f"it ended with {self._child.returncode}"


def keep_rates(folder: Path, most_bytes: int) -> int:
    """Leaves of a run's folder what tells rates, and gives its bytes.

    Raises:
        Unusable: there is nothing, or too much.
        OSError: it can't be moved.
    """
    raw = folder.with_name(f"{folder.name}.raw")
    folder.rename(raw)
    try:
        wanted = sorted(_wanted(raw))
        total = sum(path.stat().st_size for path in wanted)
        if not wanted:
            raise Unusable("msprof left no table and no database; is its analysis installed (CANN's toolkit)?")
        if total > most_bytes:
            raise Unusable(f"it has {total / 1e6:.0f} MB; see max_trace_mb")
        for path in wanted:
            place = folder / path.relative_to(raw)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.rename(place)
    finally:
        shutil.rmtree(raw, ignore_errors=True)
    return total


def _wanted(raw: Path) -> Iterable[Path]:
    return (path for name in _KEPT for path in raw.glob(f"PROF_*/{name}") if path.is_file() and not path.is_symlink())


def _options(devices: Sequence[int], seconds: int, target: Path) -> list[str]:
    return [
        f"--output={target}",
        f"--sys-devices={','.join(map(str, devices))}",
        f"--sys-period={seconds}",
        "--sys-hardware-mem=on",
        f"--sys-hardware-mem-freq={RATE_HZ}",
        "--sys-interconnection-profiling=on",
        f"--sys-interconnection-freq={RATE_HZ}",
        "--sys-io-profiling=on",
        f"--sys-io-sampling-freq={RATE_HZ}",
    ]


def find_program(root: Path = Path("/")) -> str:
    """Msprof on the path, else where CANN puts it."""
    places = (root / place.lstrip("/") for place in _PLACES)
    return shutil.which("msprof") or next((str(place) for place in places if place.exists()), "msprof")
