"""Kineto: one file, which has its name once it is whole."""

from dataclasses import dataclass
from pathlib import Path

from steelyard_agent.profiling.landing import Landing
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.request import kineto_configuration
from steelyard_agent.profiling.window import Window


@dataclass(frozen=True, slots=True)
class KinetoOutlet:
    """Traces of torch on CPU, CUDA and ROCm."""

    landing: Landing

    def refusal(self, window: Window) -> str:
        """Nothing is refused."""
        return ""

    def configuration(self, window: Window) -> str:
        """What the process is told."""
        return kineto_configuration(window.spec, self.landing.path_for(window.id))

    def follow_up(self, window: Window) -> str:
        """It ends by itself."""
        return ""

    def is_begun(self, window: Window) -> bool:
        """Whether the process writes."""
        return self.landing.is_begun(window.id, window.trainer)

    def is_whole(self, window: Window) -> bool:
        """Whether the file has its name."""
        return self.landing.file_of(window.id, window.trainer).exists()

    def take(self, window: Window, store: RawStore) -> Path:
        """Moves the file."""
        target = store.path_for(window.id, ".json")
        file = self.landing.file_of(window.id, window.trainer)
        window.trace_bytes = self.landing.take(file, window.trainer.uid, target)
        return target

    def keep(self, window: Window, path: Path, store: RawStore) -> None:
        """It is kept as it was read."""

    def drop(self, window: Window) -> None:
        """Removes the file."""
        self.landing.drop(window.id, window.trainer)
