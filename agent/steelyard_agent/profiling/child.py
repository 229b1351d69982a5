"""Reads a trace in a child process: behind everybody for CPU and disk, and with an end to its memory and its time."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psutil

_MOST_RESULT_BYTES: Final = 32_000_000
_NICENESS: Final = 19
_CODE: Final = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from steelyard_proto.errors import TraceError
from steelyard_traces.document import as_document
from steelyard_traces.reading import read_recording
try:
    recording = read_recording(Path(sys.argv[1]))
except TraceError as error:
    sys.exit(str(error))
stacks = [asdict(stack) for stack in recording.stacks()]
json.dump({**as_document(recording.profile), "stacks": stacks}, sys.stdout)
"""
PROGRAM: Final = (sys.executable, "-c", _CODE)


class Unread(Exception):
    """A trace could not be read; says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one trace may take."""

    memory_bytes: int
    cpu_s: int = 300
    wall_s: float = 1800.0


class TraceReader:
    """One child, from its start to its result."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """Starts it.

        Args:
            path: the trace.
            limits: what it may take.
            clock: seconds that never jump.
            program: what reads it; the path is added.

        Raises:
            Unread: it can't be started.
        """
        self._path = path
        self._limits = limits
        self._clock = clock
        self._out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        # One thread: a math library would take memory for as many as there are cores.
        environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            self._child = subprocess.Popen(
                [*program, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._errors,
                env=environ,
            )
        except OSError as error:
            self._end()
            raise Unread(f"the reader of traces can't be started: {error.strerror}") from error
        self._late_s = clock() + limits.wall_s
        # Gone already: its result will tell.
        with contextlib.suppress(OSError, psutil.Error):
            self._hold_back(self._child.pid)

    def poll(self) -> dict[str, Any] | None:
        """The profile, as steelyard_traces.document writes it; None while it is being read.

        Raises:
            Unread: it could not be read.
        """
        status = self._child.poll()
        if status is None:
            if self._clock() < self._late_s:
                return None
            self.close()
            raise Unread(f"it was not read within {self._limits.wall_s:.0f} s")
        try:
            return self._result(status)
        finally:
            self._end()

    def close(self) -> None:
        """Ends the child."""
        self._child.kill()
        self._child.wait()
        self._end()

    def _result(self, status: int) -> dict[str, Any]:
        if status:
            raise Unread(self._reason(status))
        self._out.seek(0)
        try:
            document = json.loads(self._out.read(_MOST_RESULT_BYTES + 1))
        except ValueError as error:
            raise Unread("its reader gave no result that could be understood") from error
        if not isinstance(document, dict):
            raise Unread("its reader gave no profile")
        return document

    def _reason(self, status: int) -> str:
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode("utf-8", "replace").strip().splitlines() or [f"ended with {status}"]
        memory = f"{self._limits.memory_bytes / 1e6:.0f} MB"
        if "MemoryError" in lines[-1] or "Unable to allocate" in lines[-1]:
            return f"reading it takes more than {memory} of memory; ask for fewer steps, or raise profiling.reader_mb"
        if "No module named" in lines[-1]:
            return f"{lines[-1].strip()}: the agent reads traces with steelyard[traces]; install it on this node"
        # The path is the agent's own, and tells nobody anything.
        return f"its trace can't be read: {lines[-1].strip().removeprefix(f'{self._path}: ')[:300]}"

    def _hold_back(self, pid: int) -> None:
        os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
        resource.prlimit(pid, resource.RLIMIT_AS, (self._limits.memory_bytes,) * 2)
        resource.prlimit(pid, resource.RLIMIT_CPU, (self._limits.cpu_s,) * 2)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_MOST_RESULT_BYTES,) * 2)
        psutil.Process(pid).ionice(psutil.IOPRIO_CLASS_IDLE)

    def _end(self) -> None:
        self._out.close()
        self._errors.close()
