"""Stacks of the host as py-spy samples them (its format `raw`): where the main thread was, and what it waited for."""

import re
from pathlib import Path
from typing import Final

from steelyard_proto.errors import TraceError
from steelyard_proto.host_stacks import HostStack, parse_raw
from steelyard_traces.profile import DATA_WAIT, Part, Profile, Stack
from steelyard_traces.trace_file import open_trace

_MOST_BYTES: Final = 64 << 20
_MAIN: Final = "MainThread"
_LINE: Final = re.compile(rb"(?:thread \(|process \d+:|[^{\[][^;]* \([^()]*:\d+\)).* \d+\s*")
_PARTS: Final = {
    "data": DATA_WAIT,
    "collective": "waits for a collective",
    "device": "waits for the device",
    "": "outside operators",
}
_NANOSECONDS: Final = 10**9


def is_py_spy(head: bytes) -> bool:
    """Whether a file that begins so holds stacks of py-spy."""
    return _LINE.fullmatch(head.partition(b"\n")[0]) is not None


def read_py_spy(path: Path, sampled_hz: float | None) -> tuple[Profile, tuple[Stack, ...]]:
    """Reads a file; a sample stands for the time until the next.

    Raises:
        TraceError: how often it was sampled isn't known, or no stack is in it.
    """
    if sampled_hz is None:
        raise TraceError(
            "stacks of py-spy, which don't tell how often they were sampled: say it, as --hz N", path=str(path)
        )
    with open_trace(path) as text:
        data = text.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise text.error(f"more than {_MOST_BYTES >> 20} MiB of stacks; sample for a shorter time")
    try:
        stacks = parse_raw(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TraceError("not UTF-8; write the file as UTF-8 (iconv -t UTF-8)", path=str(path)) from error
    if not stacks:
        raise TraceError(
            "no stack in it: the process was idle, which py-spy leaves out unless it is run with --idle", path=str(path)
        )
    rows = tuple(
        Stack((*((one.thread,) if one.thread else ()), *one.frames), _duration_ns(one.samples, sampled_hz))
        for one in stacks
    )
    return _profile(path, stacks, sampled_hz), rows


def _profile(path: Path, stacks: tuple[HostStack, ...], sampled_hz: float) -> Profile:
    by_thread: dict[str, int] = {}
    for one in stacks:
        by_thread[one.thread] = by_thread.get(one.thread, 0) + one.samples
    shown = _MAIN if _MAIN in by_thread else max(by_thread, key=lambda thread: (by_thread[thread], thread))
    by_wait: dict[str, int] = {}
    for one in stacks:
        if one.thread == shown:
            by_wait[one.waits] = by_wait.get(one.waits, 0) + one.samples
    parts = [Part("host", _PARTS[waits], _duration_ns(samples, sampled_hz)) for waits, samples in by_wait.items()]
    others = f" of {len(by_thread)} threads" if len(by_thread) > 1 else ""
    return Profile(
        path=str(path),
        format="py-spy",
        chip="",
        rank="",
        devices=0,
        window_ns=sum(part.duration_ns for part in parts),
        step_count=None,
        steps=(),
        has_timeline=True,
        kernels=0,
        kernels_ns=None,
        split=None,
        parts=tuple(sorted(parts, key=lambda part: (-part.duration_ns, part.name))),
        operators=(),
        types=(),
        cores=(),
        calls=(),
        notes=(f"{by_thread[shown]:,} samples of the thread {shown or '?'}{others} at {sampled_hz:g} Hz",),
    )


def _duration_ns(samples: int, sampled_hz: float) -> int:
    return round(samples * _NANOSECONDS / sampled_hz)
