"""What of profiling can be set, typed and checked. What each means stands in default.toml."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.settings import Settings

# What a number may be, in the setting's own unit.
BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "profiling.max_trace_mb": (1, 4_000),
    "profiling.keep_mb": (1, 1_000_000),
    "profiling.keep_hours": (1, 24 * 366),
    "profiling.reader_mb": (256, 64_000),
    "profiling.every_minutes": (1, 24 * 60),
    "profiling.budget_ppm": (10, 100_000),
}


# A socket's path has 107 bytes at most, and libkineto's names have 52.
_LONGEST_FOLDER: Final = 54


@dataclass(frozen=True, slots=True)
class Profiling:
    """How training processes are profiled.

    Attributes:
        folder: where trainers find the agent's socket and leave their traces.
        is_shared: trainers of every user may.
        is_abstract: the agent also listens at Kineto's abstract name.
        npu_home: HOME of trainers under msMonitor; None where there are none.
        has_npu_file: trainings on Ascend may read a file of the agent's in place of msMonitor.
        max_trace_bytes: a larger trace is refused.
        keep_bytes: what the raw traces may take together.
        keep_s: how long they are kept.
        reader_bytes: memory of the child that reads a trace.
        continuous: patterns of jobs that are profiled without being asked for; none where it is off.
        npu_monitor: the same of jobs whose kernels npu-monitor is to time.
        msprof: the same of jobs whose NPUs' memory and links msprof is to sample.
        stacks: the same of jobs whose host stacks are sampled.
        stacks_socket: of the unit that samples host stacks for the agent, where it is on.
        every_s: between two such windows of a job on a node.
        budget_share: of a job's time that they may take.
    """

    folder: Path
    is_shared: bool
    is_abstract: bool
    npu_home: Path | None
    has_npu_file: bool
    max_trace_bytes: int
    keep_bytes: int
    keep_s: float
    reader_bytes: int
    continuous: tuple[str, ...]
    npu_monitor: tuple[str, ...]
    msprof: tuple[str, ...]
    stacks: tuple[str, ...]
    stacks_socket: Path
    every_s: float
    budget_share: float


def make_profiling(settings: Settings, environ: Mapping[str, str]) -> Profiling | None:
    """The settings of the table `profiling`; None where it is off.

    Raises:
        ConfigError: a value makes no sense.
    """
    if not settings["profiling.enabled"].value:
        return None
    return Profiling(
        folder=_folder(settings, environ),
        is_shared=bool(settings["profiling.shared"].value),
        is_abstract=bool(settings["profiling.abstract"].value),
        npu_home=_home(settings),
        has_npu_file=bool(settings["profiling.npu_file"].value),
        max_trace_bytes=settings["profiling.max_trace_mb"].number * 1_000_000,
        keep_bytes=settings["profiling.keep_mb"].number * 1_000_000,
        keep_s=settings["profiling.keep_hours"].number * 3600.0,
        reader_bytes=settings["profiling.reader_mb"].number * 1_000_000,
        continuous=tuple(settings["profiling.continuous"].text.split()),
        npu_monitor=tuple(settings["profiling.npu_monitor"].text.split()),
        msprof=tuple(settings["profiling.msprof"].text.split()),
        stacks=tuple(settings["profiling.stacks"].text.split()),
        stacks_socket=Path(settings["profiling.stacks_socket"].text),
        every_s=settings["profiling.every_minutes"].number * 60.0,
        budget_share=settings["profiling.budget_ppm"].number / 1e6,
    )


def _home(settings: Settings) -> Path | None:
    entry = settings["profiling.npu_home"]
    home = Path(entry.text).expanduser() if entry.text else None
    if home is not None and not home.is_absolute():
        raise entry.error(f"is {entry.text!r}; give an absolute path")
    return home


def own_folder() -> Path:
    """Where an agent of this user listens that neither systemd nor a setting has given a folder."""
    return Path(f"/tmp/steelyard-profiles-{os.geteuid()}")  # noqa: S108


def _folder(settings: Settings, environ: Mapping[str, str]) -> Path:
    entry = settings["profiling.folder"]
    if not entry.text:
        runtime = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
        return Path(runtime) / "profiles" if runtime else own_folder()
    folder = Path(entry.text).expanduser()
    if not folder.is_absolute() or ".." in folder.parts or set(entry.text) & {"\n", "\r", "\0"}:
        raise entry.error(f"is {entry.text!r}; give an absolute path without ..")
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        raise entry.error(f"is longer than the {_LONGEST_FOLDER} bytes that leave room for trainers' sockets in it")
    return folder
