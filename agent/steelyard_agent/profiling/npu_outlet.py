"""torch_npu under msMonitor: a folder, whole when its analysis has ended, which nothing says.

Source: msMonitor's nputrace and torch_npu's dynamic profiler, as read; not verified on hardware.
"""

import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_agent.profiling.landing import Landing, Unusable
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.request import WindowSpec, as_lines
from steelyard_agent.profiling.window import Window

_OUTPUT: Final = "ASCEND_PROFILER_OUTPUT"
_RUN: Final = "_ascend_pt"
# Files that don't grow any more for so long are taken for whole.
QUIET_S: Final = 3.0
_MOST_FILES: Final = 200


@dataclass(slots=True)
class NpuOutlet:
    """Exports of torch_npu.

    Attributes:
        landing: where each window has a folder of its own.
        clock: seconds that never jump.
        quiet_s: for how long files must not grow.
    """

    landing: Landing
    clock: Callable[[], float]
    quiet_s: float = QUIET_S
    _sizes: dict[str, tuple[int, float]] = field(default_factory=dict)

    def refusal(self, window: Window) -> str:
        """It counts steps alone."""
        if not window.spec.steps:
            return "torch_npu has windows by steps alone; ask for steps"
        return ""

    def configuration(self, window: Window) -> str:
        """What the process is told; its folder is made."""
        folder = self._folder(window)
        folder.mkdir(mode=0o700, exist_ok=True)
        return npu_configuration(window.spec, str(folder))

    def is_begun(self, window: Window) -> bool:
        """Whether the process writes."""
        return any(True for _ in self._runs(window))

    def is_whole(self, window: Window) -> bool:
        """Whether the analysis is there and grows no more."""
        size = sum(path.lstat().st_size for run in self._runs(window) for path in _files(run / _OUTPUT))
        known, since_s = self._sizes.get(window.id, (0, 0.0))
        now_s = self.clock()
        if size != known:
            self._sizes[window.id] = (size, now_s)
            return False
        return size > 0 and now_s - since_s >= self.quiet_s

    def take(self, window: Window, store: RawStore) -> Path:
        """Copies the analysis, without the raw data, which only CANN can read."""
        self._sizes.pop(window.id, None)
        target = store.path_for(window.id, "")
        runs = list(self._runs(window))
        if len(runs) != 1:
            raise Unusable(f"it left {len(runs)} recordings where one was asked for")
        wanted = [*_files(runs[0] / _OUTPUT), *(path for path in _files(runs[0]) if path.suffix == ".json")]
        if len(wanted) > _MOST_FILES:
            raise Unusable(f"its trace has {len(wanted)} files; at most {_MOST_FILES} are taken")
        total = 0
        for path in wanted:
            copy = target / path.relative_to(runs[0])
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            total += self.landing.take(path, window.trainer.uid, copy)
            if total > self.landing.max_bytes:
                raise Unusable(f"its trace has more than {self.landing.max_bytes / 1e6:.0f} MB; see max_trace_mb")
        window.trace_bytes = total
        self.drop(window)
        return target

    def keep(self, window: Window, path: Path, store: RawStore) -> None:
        """Packs what was read into one file; MindStudio Insight opens the folder that is in it."""
        if window.trace_bytes:
            packed = store.path_for(window.id, ".tar")
            with tarfile.open(packed, "w") as file:
                file.add(path, arcname=f"{window.id}{_RUN}")
            window.trace_bytes = packed.stat().st_size
        shutil.rmtree(path, ignore_errors=True)

    def drop(self, window: Window) -> None:
        """Removes the window's folder."""
        self._sizes.pop(window.id, None)
        shutil.rmtree(self._folder(window), ignore_errors=True)

    def _folder(self, window: Window) -> Path:
        return self.landing.traces / window.id

    def _runs(self, window: Window) -> Iterator[Path]:
        try:
            found = sorted(os.scandir(self._folder(window)), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in found:
            if entry.name.endswith(_RUN) and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def npu_configuration(spec: WindowSpec, folder: str) -> str:
    """The configuration for a process of torch_npu: from its next step on, analysed by itself."""
    return as_lines(
        {
            "ACTIVITIES_LOG_FILE": folder,
            "PROFILE_START_ITERATION": 0,
            "PROFILE_START_STEP": -1,
            "ACTIVITIES_ITERATIONS": spec.steps,
            "PROFILE_ACTIVITIES": "CPU,NPU",
            "PROFILE_PROFILER_LEVEL": "Level1",
            "PROFILE_EXPORT_TYPE": "Text",
            "PROFILE_ANALYSE": "true",
            # In a process of its own: the training goes on meanwhile.
            "PROFILE_ASYNC_MODE": "true",
            "PROFILE_RECORD_SHAPES": str(spec.with_shapes).lower(),
            "PROFILE_WITH_STACK": str(spec.with_stacks).lower(),
            "PROFILE_WITH_MODULES": "false",
            "PROFILE_PROFILE_MEMORY": "false",
            "PROFILE_WITH_FLOPS": "false",
            "PROFILE_L2_CACHE": "false",
            "PROFILE_OP_ATTR": "false",
            "PROFILE_MSPROF_TX": "false",
            "PROFILE_DATA_SIMPLIFICATION": "true",
        }
    )


def _files(folder: Path) -> list[Path]:
    """The plain files right in a folder that is one."""
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            return []
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))
    except OSError:
        return []
