"""What msprof has left of a window: read where it lies, for the agent itself had it written, and kept as one file."""

from dataclasses import dataclass
from pathlib import Path

from steelyard_agent.profiling.folders import pack
from steelyard_agent.profiling.msprof import keep_rates
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.window import Window


@dataclass(frozen=True, slots=True)
class RatesKeeper:
    """Folders of msprof.

    Attributes:
        most_bytes: larger ones are refused.
    """

    most_bytes: int

    def take(self, window: Window, store: RawStore) -> Path:
        """Drops the raw data, which only CANN can read."""
        folder = store.path_for(window.id, "")
        window.trace_bytes = keep_rates(folder, self.most_bytes)
        return folder

    def keep(self, window: Window, path: Path, store: RawStore) -> None:
        """Packs what was read into one file."""
        pack(window, path, store, window.id)
