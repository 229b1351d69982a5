"""torch_npu's profiler, by msMonitor or by a file: a folder, whole when its analysis has ended, which nothing says.

Source: msMonitor's nputrace and torch_npu's dynamic profiler, as read; not verified on hardware.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from steelyard_agent.profiling.request import WindowSpec, as_lines
from steelyard_agent.profiling.window import Window

_OUTPUT: Final = "ASCEND_PROFILER_OUTPUT"
_RUN: Final = "_ascend_pt"


@dataclass(frozen=True, slots=True)
class NpuOutlet:
    """Exports of torch_npu.

    Attributes:
        landing: where each window has a folder of its own.
        growth: tells when one is whole.
        words: what a process is told: of a window, its folder, and the one rank that is meant.
    """

    landing: Landing
    growth: Growth
    words: Callable[[WindowSpec, str, int | None], str]

    def refusal(self, window: Window) -> str:
        """It counts steps alone."""
        return "" if window.spec.steps else "torch_npu's profiler has windows by steps alone; ask for steps"

    def configuration(self, window: Window) -> str:
        """What the process is told; its folder is made."""
        return self.words(window.spec, str(make_folder(self.landing, window)), _rank(window))

    def follow_up(self, window: Window) -> str:
        """It ends by itself."""
        return ""

    def is_begun(self, window: Window) -> bool:
        """Whether the process writes."""
        return any(True for _ in self._runs(window))

    def is_whole(self, window: Window) -> bool:
        """Whether the analysis is there and grows no more."""
        return self.growth.is_over(window, (path for run in self._own(window) for path in plain_files(run / _OUTPUT)))

    def take(self, window: Window, store: RawStore) -> Path:
        """Copies the analysis, without the raw data, which only CANN can read."""
        runs = self._own(window)
        if len(runs) != 1:
            raise Unusable(f"it left {len(runs)} recordings where one was asked for")
        tables = plain_files(runs[0] / _OUTPUT)
        wanted = [*tables, *(path for path in plain_files(runs[0]) if path.suffix == ".json")]
        target = take_files(self.landing, window, wanted, runs[0], store.path_for(window.id, ""))
        self.drop(window)
        return target

    def keep(self, window: Window, path: Path, store: RawStore) -> None:
        """Packs what was read into one file; MindStudio Insight opens the folder that is in it."""
        pack(window, path, store, f"{window.id}{_RUN}")

    def drop(self, window: Window) -> None:
        """Removes the window's folder."""
        self.growth.forget(window)
        drop_folder(self.landing, window)

    def _own(self, window: Window) -> list[Path]:
        """What the process itself has left: a torch_npu that knows no list of ranks records all of the node."""
        runs = list(self._runs(window))
        return runs if len(runs) < 2 else [run for run in runs if f"_{window.trainer.own_pid}_" in run.name]

    def _runs(self, window: Window) -> Iterator[Path]:
        try:
            found = sorted(os.scandir(folder_of(self.landing, window)), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in found:
            if entry.name.endswith(_RUN) and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _rank(window: Window) -> int | None:
    """The one rank that is meant, where the configuration reaches all of the node."""
    return window.who.ranks.rank if window.trainer.has_helper else None


def npu_configuration(spec: WindowSpec, folder: str, rank: int | None = None) -> str:
    """The configuration by msMonitor: from the next step on, analysed by itself.

    Args:
        spec: the window.
        folder: where the recording goes.
        rank: the one that is meant; None for whoever fetches it.
    """
    one_rank = {} if rank is None else {"PROFILE_IS_RANK": "true", "PROFILE_RANK_LIST": rank}
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
            **one_rank,
        }
    )


def file_configuration(spec: WindowSpec, folder: str, rank: int | None = None) -> str:
    """The same as torch_npu reads it from profiler_config.json."""
    settings = {
        "activities": ["CPU", "NPU"],
        "prof_dir": folder,
        "analyse": True,
        "async_mode": True,
        "record_shapes": spec.with_shapes,
        "profile_memory": False,
        "with_stack": spec.with_stacks,
        "with_flops": False,
        "with_modules": False,
        "active": spec.steps,
        "warmup": 0,
        "start_step": -1,
        "is_rank": rank is not None,
        "rank_list": [] if rank is None else [rank],
        "experimental_config": {
            "profiler_level": "Level1",
            "l2_cache": False,
            "op_attr": False,
            "data_simplification": True,
            "export_type": "text",
            "msprof_tx": False,
        },
    }
    return json.dumps(settings)
