"""Lines of msMonitor's npu-monitor: one JSON object for each kernel, collective, copy and call that it saw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from steelyard_proto.errors import TraceError
from steelyard_traces.ascend_calls import torch_calls
from steelyard_traces.ascend_work import AscendRecording, Task
from steelyard_traces.trace_file import TraceText, open_trace

_FILES: Final = "msmonitor_*.jsonl"
_BLOCK_BYTES: Final = 4 << 20
_LINE_BYTES_MAX: Final = 16 << 20
_CALLS: Final = frozenset({"API", "AclAPI", "NodeAPI", "RuntimeAPI"})
_COPIES: Final = {"MemCpy": "MEMCPY", "Memcpy": "MEMCPY", "MemSet": "MEMSET", "Memset": "MEMSET"}
_UNUSED: Final = frozenset({"Marker", "Memory", "parallel_group_info"})
_LARGEST: Final = 2**62


class _Line(msgspec.Struct, gc=False):
    kind: str = ""
    name: Any = None
    type: Any = None
    startNs: Any = None  # noqa: N815  as it is written
    endNs: Any = None  # noqa: N815
    deviceId: Any = None  # noqa: N815
    threadId: Any = None  # noqa: N815
    rank: Any = None


_LINE: Final = msgspec.json.Decoder(_Line)


@dataclass(slots=True)
class _Found:
    tasks: list[Task] = field(default_factory=list)
    older_collectives: list[Task] = field(default_factory=list)
    calls: list[tuple[int, int, int, str]] = field(default_factory=list)
    rank: str = ""
    others: set[str] = field(default_factory=set)
    skipped: int = 0
    is_cut: bool = False

    def add(self, line: _Line) -> None:
        """Takes what a line tells."""
        if line.kind == "rank_device_map":
            self.rank = "" if line.rank in (None, -1, "-1") else str(line.rank)
        elif line.kind in _UNUSED:
            return
        elif line.kind in ("Kernel", "Communication", "Hccl", *_COPIES) or line.kind in _CALLS:
            self._add_span(line)
        else:
            self.others.add(line.kind)

    def _add_span(self, line: _Line) -> None:
        start_ns, end_ns = _whole(line.startNs), _whole(line.endNs)
        if start_ns is None or end_ns is None or end_ns < start_ns:
            self.skipped += 1
            return
        name = str(line.name or "")
        if line.kind in _CALLS:
            self.calls.append((_whole(line.threadId) or 0, start_ns, end_ns, name or line.kind))
            return
        device = _whole(line.deviceId) or 0
        if line.kind == "Kernel":
            kind, core, of = "N/A", str(line.type or ""), self.tasks
        elif line.kind in _COPIES:
            kind, core, of = _COPIES[line.kind], _COPIES[line.kind], self.tasks
            name = name or core
        else:
            kind, core = f"{name.partition('__')[0]}_", "COMMUNICATION"
            of = self.tasks if line.kind == "Communication" else self.older_collectives
        of.append(Task(name, kind, core, start_ns, end_ns - start_ns, device=device))


def is_npu_monitor(head: bytes) -> bool:
    """Whether a file that begins so holds such lines."""
    line, end, _ = head.lstrip().partition(b"\n")
    if not end or not line.startswith(b"{"):
        return False
    try:
        return bool(_LINE.decode(line).kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def monitored_files(folder: Path) -> tuple[Path, ...]:
    """The files in which one process has written its lines, in their order; none where there are none.

    Raises:
        TraceError: those of several processes are in it.
    """
    files = sorted(folder.glob(_FILES))
    processes = {path.name.split("_")[1] for path in files}
    if len(processes) > 1:
        raise TraceError(
            f"the lines of {len(processes)} processes are in it; name a file of one: {files[0].name} ...",
            path=str(folder),
        )
    return tuple(files)


def read_npu_monitor(path: Path, files: Sequence[Path] = ()) -> AscendRecording:
    """Reads a file of lines, also one that is still being written: what is behind its last whole line is left out.

    Args:
        path: the file, or the folder of several.
        files: the several, in their order.

    Raises:
        TraceError: it is no such file, or no kernel is in it.
    """
    found = _Found()
    for file in files or (path,):
        with open_trace(file) as text:
            for line in _lines(text, found):
                try:
                    found.add(_LINE.decode(line))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    found.skipped += 1
    has_collectives = any(task.core == "COMMUNICATION" for task in found.tasks)
    # Where both are recorded they are the same collectives.
    tasks = found.tasks if has_collectives else found.tasks + found.older_collectives
    if not tasks:
        raise TraceError(
            "no kernel and no collective in its lines: start npu-monitor with --mspti-activity-kind "
            "Kernel,Communication, and the trainer with libmspti",
            path=str(path),
        )
    return AscendRecording(
        path=str(path), tasks=tuple(tasks), rank=found.rank, calls=torch_calls(found.calls), notes=tuple(_notes(found))
    )


def _lines(text: TraceText, found: _Found) -> Iterator[bytes]:
    rest = b""
    while more := text.read(_BLOCK_BYTES):
        whole, end, tail = (rest + more).rpartition(b"\n")
        rest = tail
        if len(rest) > _LINE_BYTES_MAX:
            raise text.error(f"a line of more than {_LINE_BYTES_MAX >> 20} MiB; these are no lines of npu-monitor")
        if end:
            yield from (line for line in whole.split(b"\n") if line.strip())
    if rest.strip():
        try:
            _LINE.decode(rest)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            found.is_cut = True
        else:
            yield rest


def _notes(found: _Found) -> Iterator[str]:
    if found.is_cut:
        yield "its last line is cut off, as it is while the monitor writes; left out"
    if found.skipped:
        yield f"{found.skipped:,} lines without a usable time, or no JSON, were left out"
    if found.others:
        yield f"lines of kinds that nobody knows were left out: {', '.join(sorted(found.others)[:5])}"


def _whole(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < _LARGEST else None
