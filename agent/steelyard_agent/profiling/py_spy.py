"""The program py-spy over one process: behind everybody for the CPU, never pausing the process, with idle threads."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from steelyard_agent.profiling.sampled import Sampled, Unsampled

_NICENESS: Final = 19
# Beyond the window: to find its way in the process, and to write.
MORE_S: Final = 60.0
MOST_BYTES: Final = 16_000_000


class PySpy:
    """One run of the program."""

    def __init__(
        self,
        pid: int,
        seconds: int,
        rate_hz: int,
        target: Path,
        *,
        program: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts it.

        Args:
            pid: the process.
            seconds: how long.
            rate_hz: looks a second.
            target: the file that it writes.
            program: its path; empty for the usual places.
            clock: seconds that never jump.

        Raises:
            Unsampled: it isn't installed.
        """
        self._target = target
        self._clock = clock
        self._late_s = clock() + seconds + MORE_S
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        # A thread that waits is idle: without --idle a training that waits for data would show nothing at all.
        options = ["--nonblocking", "--idle", "--threads", "--format", "raw", "--output", str(target)]
        command = [
            program or find_program(),
            "record",
            "--pid",
            str(pid),
            "--duration",
            str(seconds),
            "--rate",
            str(rate_hz),
        ]
        try:
            self._child = subprocess.Popen(
                [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors
            )
        except OSError as error:
            self._errors.close()
            raise Unsampled(
                "py-spy isn't installed; the agent needs steelyard[stacks] beside it to sample host stacks"
            ) from error
        # Gone already: its result will tell.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._child.pid, _NICENESS)

    def poll(self) -> Sampled | None:
        """What was seen; None while it looks.

        Raises:
            Unsampled: it could not look.
        """
        pid, status, usage = os.wait4(self._child.pid, os.WNOHANG)
        if not pid:
            if self._clock() < self._late_s:
                return None
            self.close()
            raise Unsampled("py-spy did not come to an end")
        self._child.returncode = os.waitstatus_to_exitcode(status)
        try:
            if self._child.returncode:
                raise Unsampled(self._reason())
            with self._target.open("rb") as file:
                text = file.read(MOST_BYTES).decode("utf-8", "replace")
        except OSError as error:
            raise Unsampled(f"py-spy left nothing: {error.strerror}") from error
        finally:
            self._errors.close()
        return Sampled(text, usage.ru_utime + usage.ru_stime)

    def close(self) -> None:
        """Ends it."""
        self._child.kill()
        self._child.wait()
        self._errors.close()

    def _reason(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode("utf-8", "replace").splitlines()
        said = next((line for line in lines if line.startswith("Error")), "it ended with an error")
        if "ermission denied" in "".join(lines) or "os error 1)" in "".join(lines):
            return "the agent may not read the process's memory; see docs/profiling.md, Host stacks"
        return f"py-spy: {said.removeprefix('Error: ')}"


def find_program() -> str:
    """py-spy beside this Python, else on the path."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy") or "py-spy"
