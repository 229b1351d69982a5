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
PROGRAM: Final = (sys.executable, "-P", "-m", "steelyard_traces")


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
        if self._out.seek(0, os.SEEK_END) >= _MOST_RESULT_BYTES:
            most = f"{_MOST_RESULT_BYTES / 1e6:.0f} MB"
            raise Unread(f"its operators and stacks take more than {most}; ask for fewer steps, and without stacks")
        document = self._document()
        if status:
            raise Unread(self._reason(status, (document or {}).get("error")))
        if document is None:
            raise Unread("its reader gave no result that could be understood")
        return document

    def _document(self) -> dict[str, Any] | None:
        self._out.seek(0)
        try:
            document = json.loads(self._out.read(_MOST_RESULT_BYTES + 1))
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    def _reason(self, status: int, error: object) -> str:
        told = error if isinstance(error, dict) else {}
        reason = str(told.get("reason") or self._last_words(status))[:300]
        if told.get("kind") == "too_large" or "MemoryError" in reason:
            memory = f"{self._limits.memory_bytes / 1e6:.0f} MB"
            return f"reading it takes more than {memory} of memory; ask for fewer steps, or raise profiling.reader_mb"
        if told.get("kind") == "not_installed" or "No module named" in reason:
            return f"{reason}: the agent reads traces with steelyard[traces]; install it on this node"
        return f"its trace can't be read: {reason}"

    def _last_words(self, status: int) -> str:
        """Of a reader that could not even say what went wrong."""
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else f"the reader ended with {status}"

    def _hold_back(self, pid: int) -> None:
        os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
        resource.prlimit(pid, resource.RLIMIT_AS, (self._limits.memory_bytes,) * 2)
        resource.prlimit(pid, resource.RLIMIT_CPU, (self._limits.cpu_s,) * 2)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_MOST_RESULT_BYTES,) * 2)
        psutil.Process(pid).ionice(psutil.IOPRIO_CLASS_IDLE)

    def _end(self) -> None:
        self._out.close()
        self._errors.close()
