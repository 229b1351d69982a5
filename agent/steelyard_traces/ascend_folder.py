"""Finds what a profiler of Ascend left in a folder, and says what is to be done where nothing can be read yet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_text import KERNELS

_OUTPUT: Final = "ASCEND_PROFILER_OUTPUT"
_EXPORT: Final = "mindstudio_profiler_output"
_SUMMARY: Final = "op_summary_*.csv"
_TASKS: Final = "task_time*.csv"
_DATABASES: Final = ("ascend_pytorch_profiler*.db", "msprof_*.db", "msmonitor_*.db")
_RUNS: Final = ("*_ascend_pt", "*_ascend_ms")
_NAMED: Final = 4


class NoKernels(TraceError):
    """Nothing in it tells of kernels; it may have other things."""


@dataclass(frozen=True, slots=True)
class AscendExport:
    """What can be read: tables of kernels, or one database."""

    folder: Path
    tables: tuple[Path, ...]


def find_export(path: Path) -> AscendExport:
    """The one export in or below a folder.

    Raises:
        TraceError: there is none, it isn't parsed yet, or there are several of which one must be named.
    """
    for folder in (path, path / _OUTPUT):
        if (folder / KERNELS).is_file():
            return AscendExport(folder, (folder / KERNELS,))
    for folder in (path, path / _EXPORT, *sorted(path.glob(f"PROF_*/{_EXPORT}"))):
        tables = tuple(sorted(folder.glob(_SUMMARY)) or sorted(folder.glob(_TASKS)))
        if tables:
            return AscendExport(folder, tables)
    databases = sorted(
        one
        for folder in (path, path / _OUTPUT, *path.glob("PROF_*"))
        for name in _DATABASES
        for one in folder.glob(name)
    )
    if databases:
        of_torch = [one for one in databases if one.match(_DATABASES[0])] or databases
        if len(of_torch) > 1:
            raise TraceError(f"{len(of_torch)} databases are in it; name one: {of_torch[0].name} ...", path=str(path))
        return AscendExport(of_torch[0].parent, tuple(of_torch))
    runs = sorted(run for pattern in _RUNS for run in path.glob(pattern) if run.is_dir())
    if len(runs) == 1:
        return find_export(runs[0])
    if runs:
        named = ", ".join(run.name for run in runs[:_NAMED]) + (" ..." if len(runs) > _NAMED else "")
        raise TraceError(f"{len(runs)} recordings are in it; name one: {named}", path=str(path))
    if (path / "FRAMEWORK").is_dir() or any(path.glob("PROF_*")):
        raise TraceError(
            "recorded and not parsed yet: where CANN is installed, run torch_npu.profiler.profiler.analyse(path), or "
            "`msprof --export=on --output=PROF_...` for a recording of msprof",
            path=str(path),
        )
    raise NoKernels(
        f"no recording in it: neither {_OUTPUT}/{KERNELS} nor {_SUMMARY} nor a database; name a folder of "
        "torch_npu's profiler, or a trace file",
        path=str(path),
    )
