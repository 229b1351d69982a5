"""The seam between windows and a kind of profiler: what it is told, and what it leaves."""

from pathlib import Path
from typing import Protocol

from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.window import Window


class Keeper(Protocol):
    """Has what a kind of profiler left read and kept."""

    def take(self, window: Window, store: RawStore) -> Path:
        """Moves what was left into the agent's own keeping; what is to be read. Sets the window's trace_bytes.

        Raises:
            Unusable: it is too large, or isn't the user's own.
            OSError: it can't be read or written.
        """
        ...

    def keep(self, window: Window, path: Path, store: RawStore) -> None:
        """Puts what was read into the form in which it is kept, or drops it where nothing came of it."""
        ...


class Outlet(Keeper, Protocol):
    """One kind of profiler in a process that asks what it is to do."""

    def refusal(self, window: Window) -> str:
        """Why this profiler can't have such a window; empty where it can."""
        ...

    def configuration(self, window: Window) -> str:
        """What the process is told; makes what it needs to write."""
        ...

    def follow_up(self, window: Window) -> str:
        """What the process is told when it asks again in its window; empty for nothing."""
        ...

    def is_begun(self, window: Window) -> bool:
        """Whether the process writes."""
        ...

    def is_whole(self, window: Window) -> bool:
        """Whether all is there; called again and again.

        Raises:
            Unusable: nothing will come.
        """
        ...

    def drop(self, window: Window) -> None:
        """Removes what a window that failed has left."""
        ...
