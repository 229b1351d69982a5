"""From a trace that has landed to rows: taken into the store, read by a child, one after another."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.profiling.child import Limits, TraceReader, Unread
from steelyard_agent.profiling.landing import Unusable
from steelyard_agent.profiling.outlet import Keeper
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.rows import Document, Result, is_empty, profile_of, result_of
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.window import Tool, Window

_MOST_WAITING: Final = 64


@dataclass(slots=True)
class _Underway:
    """A trace that a child reads."""

    window: Window
    path: Path
    reader: TraceReader


class Failed(Exception):
    """A window has no profile; says why."""


class Reading:
    """The queue of traces. Used by the fabric's thread alone."""

    def __init__(
        self,
        outlets: Mapping[Tool, Keeper],
        store: RawStore,
        steps: StepLog,
        limits: Limits,
        wall_ms: Callable[[], int],
        program: Sequence[str] | None = None,
    ) -> None:
        """Args: each kind of profiler, where traces are kept, who knows runs, limits, Unix time, and what reads."""
        self._outlets = outlets
        self._store = store
        self._steps = steps
        self._limits = limits
        self._wall_ms = wall_ms
        self._program = program
        self._waiting: deque[tuple[Window, Path]] = deque()
        self._underway: _Underway | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be read."""
        return self._underway is None and not self._waiting

    def add(self, window: Window) -> None:
        """Takes a trace that is whole.

        Raises:
            Failed: it can't be had.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise Failed(f"{_MOST_WAITING} traces wait to be read already")
        outlet = self._outlets[window.tool]
        try:
            target = outlet.take(window, self._store)
        except Unusable as error:
            # Some of its files may have been copied.
            self._drop(window)
            raise Failed(str(error)) from error
        except OSError as error:
            self._drop(window)
            raise Failed(f"its trace can't be kept: {error.strerror or error}") from error
        self._waiting.append((window, target))

    def advance(self) -> tuple[Window, Result | Failed] | None:
        """Goes on with reading; a window whose trace has been read or couldn't be, if there is one."""
        if self._underway is None and self._waiting:
            window, path = self._waiting.popleft()
            try:
                self._underway = _Underway(window, path, self._read(path))
            except Unread as error:
                return window, self._failed(window, str(error))
        if self._underway is None:
            return None
        window = self._underway.window
        try:
            document = self._underway.reader.poll()
            if document is None:
                return None
            path, self._underway = self._underway.path, None
            return window, self._finish(window, path, document)
        except Unread as error:
            self._underway = None
            return window, self._failed(window, str(error))

    def close(self) -> None:
        """Ends the child."""
        if self._underway is not None:
            self._underway.reader.close()
            self._underway = None

    def _read(self, path: Path) -> TraceReader:
        if self._program is None:
            return TraceReader(path, self._limits)
        return TraceReader(path, self._limits, program=self._program)

    def _finish(self, window: Window, path: Path, document: Document) -> Result | Failed:
        try:
            if is_empty(document):
                return self._failed(window, "no steps: nothing ran in the window; ask again once the process trains")
            if window.spec.steps and document["steps"] is None:
                window.notes.append("no optimizer made a step, so that the window went by time")
            self._outlets[window.tool].keep(window, path, self._store)
            profile = profile_of(window, self._wall_ms(), self._steps.run_of(window.who.pid))
            result = result_of(document, profile)
        except OSError as error:
            return self._failed(window, f"its trace can't be kept: {error.strerror or error}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return self._failed(window, f"its reader gave a profile that can't be understood: {error!r}")
        self._store.trim()
        return result

    def _failed(self, window: Window, reason: str) -> Failed:
        self._drop(window)
        return Failed(reason)

    def _drop(self, window: Window) -> None:
        window.trace_bytes = 0
        self._store.drop(window.id)
        self._outlets[window.tool].keep(window, self._store.path_for(window.id, ""), self._store)
