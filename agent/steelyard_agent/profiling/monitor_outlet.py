"""npu-monitor of msMonitor: the length of each kernel and collective for some seconds, in lines of JSON.

It needs libmspti in the training, loaded at its start. One configuration begins it, another ends it; a process says
after each whether it runs. Newer ones end it by themselves too.

Source: msMonitor's plugin and its npu-monitor command, as read; not verified on hardware.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_agent.profiling.folders import (
    Growth,
    drop_folder,
    folder_of,
    make_folder,
    pack,
    plain_files,
    take_files,
)
from steelyard_agent.profiling.landing import Landing, Unusable
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.request import as_lines
from steelyard_agent.profiling.window import Window

# It is begun at the next step, and says so; of one that says nothing it is taken for granted after so long.
_SLOW_S: Final = 60.0
# Behind its end, to write what it has held back.
_SILENT_S: Final = 30.0
_LINES_A_FILE: Final = 500_000
_NOT_RUNNING: Final = 0
_REMEDY: Final = "start the training with LD_PRELOAD=/usr/local/Ascend/cann/lib64/libmspti.so; see docs/profiling.md"


@dataclass(slots=True)
class _Run:
    """When a window's monitor began, as far as it is known, and when it was told to end."""

    began_s: float | None = None
    ended_s: float | None = None


@dataclass(slots=True)
class MonitorOutlet:
    """Lines of npu-monitor.

    Attributes:
        landing: where each window has a folder of its own.
        growth: tells when one is whole.
    """

    landing: Landing
    growth: Growth
    _runs: dict[str, _Run] = field(default_factory=dict)

    def refusal(self, window: Window) -> str:
        """It knows names and times alone."""
        if window.spec.with_stacks or window.spec.with_shapes:
            return "npu-monitor tells no stacks and no shapes; ask for steps in place of a duration"
        return ""

    def configuration(self, window: Window) -> str:
        """What the process is told; its folder is made."""
        window.monitor = None
        self._runs[window.id] = _Run()
        return monitor_configuration(str(make_folder(self.landing, window)), window.spec.duration_ms, is_end=False)

    def follow_up(self, window: Window) -> str:
        """Ends it, once, when its time is over."""
        run, now_s = self._runs[window.id], self.growth.clock()
        began_s = run.began_s if run.began_s is not None else (window.sent_s or 0.0) + _SLOW_S
        if run.ended_s is not None or now_s - began_s < window.spec.duration_ms / 1000:
            return ""
        run.ended_s = now_s
        window.monitor = None
        return monitor_configuration(str(folder_of(self.landing, window)), window.spec.duration_ms, is_end=True)

    def is_begun(self, window: Window) -> bool:
        """Whether it runs."""
        return window.monitor == 1 or bool(self._files(window))

    def is_whole(self, window: Window) -> bool:
        """Whether it has ended, and what it wrote grows no more."""
        run = self._runs[window.id]
        if run.began_s is None and self.is_begun(window):
            run.began_s = self.growth.clock()
        if run.ended_s is None:
            if window.monitor == _NOT_RUNNING and run.began_s is None:
                raise Unusable(f"npu-monitor did not begin: {_REMEDY}")
            return False
        if self.growth.is_over(window, self._files(window)):
            return True
        if not self._files(window) and self.growth.clock() - run.ended_s > _SILENT_S:
            raise Unusable(f"npu-monitor saw nothing: {_REMEDY}")
        return False

    def take(self, window: Window, store: RawStore) -> Path:
        """Copies the lines of this process; others of the node have written theirs beside them."""
        folder = folder_of(self.landing, window)
        target = take_files(self.landing, window, self._files(window), folder, store.path_for(window.id, ""))
        self.drop(window)
        return target

    def keep(self, window: Window, path: Path, store: RawStore) -> None:
        """Packs what was read into one file."""
        pack(window, path, store, window.id)

    def drop(self, window: Window) -> None:
        """Removes the window's folder."""
        self._runs.pop(window.id, None)
        self.growth.forget(window)
        drop_folder(self.landing, window)

    def _files(self, window: Window) -> Sequence[Path]:
        begin = f"msmonitor_{window.trainer.own_pid}_"
        found = plain_files(folder_of(self.landing, window))
        return [path for path in found if path.name.startswith(begin) and path.suffix == ".jsonl"]


def monitor_configuration(folder: str, duration_ms: int, *, is_end: bool) -> str:
    """The configuration that begins npu-monitor, or ends it; it wants all keys each time."""
    return as_lines(
        {
            "NPU_MONITOR_START": str(not is_end).lower(),
            "NPU_MONITOR_STOP": str(is_end).lower(),
            "REPORT_INTERVAL_S": 5,
            "DURATION": duration_ms / 1000,
            "MSPTI_ACTIVITY_KIND": "Kernel,Communication",
            "NPU_MONITOR_LOG_FILE": folder,
            "NPU_MONITOR_EXPORT_TYPE": "Jsonl",
            "JSONL_ROTATE_LOG_LINES": _LINES_A_FILE,
            "JSONL_ROTATE_LOG_FILES": -1,
            "NPU_MONITOR_FILTER": "",
        }
    )
