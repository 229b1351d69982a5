"""Stacks as pprof's profile: a small protobuf, gzipped, that `go tool pprof` and its relatives read.

The messages and their field numbers are those of google/pprof's proto/profile.proto; only what stacks need is written.
"""

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from steelyard_traces.profile import Stack

_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRING, _DURATION_NS = 1, 2, 4, 5, 6, 10
_PYTHON_FRAME: Final = re.compile(r"(?P<file>.+\.py)\((?P<line>\d{1,9})\): (?P<name>.+)")
_VARINT, _BYTES = 0, 2
_MASK: Final = (1 << 64) - 1


def as_pprof(stacks: Iterable["Stack"]) -> bytes:
    """A gzipped profile with one sample a stack, in nanoseconds; a Python frame is told with its file and line."""
    strings: dict[str, int] = {"": 0}
    frames: dict[str, int] = {}
    samples, total_ns = [], 0
    for stack in stacks:
        # The innermost call comes first; ids begin at 1.
        path = [frames.setdefault(frame, len(frames) + 1) for frame in reversed(stack.frames)]
        samples.append(_message((1, _packed(path)), (2, _packed([stack.duration_ns]))))
        total_ns += stack.duration_ns
    unit = (strings.setdefault("time", len(strings)), strings.setdefault("nanoseconds", len(strings)))
    parts = [_message((_SAMPLE_TYPE, _message((1, unit[0]), (2, unit[1]))))]
    parts += [_message((_SAMPLE, sample)) for sample in samples]
    for frame, number in frames.items():
        parts.append(_message((_LOCATION, _message((1, number), (4, _line(frame, number))))))
        parts.append(_message((_FUNCTION, _function(frame, number, strings))))
    parts += [_message((_STRING, text.encode("utf-8", "replace"))) for text in strings]
    parts.append(_message((_DURATION_NS, total_ns)))
    return gzip.compress(b"".join(parts), mtime=0)


def _line(frame: str, function: int) -> bytes:
    found = _PYTHON_FRAME.fullmatch(frame)
    return _message((1, function), (2, int(found["line"]) if found else 0))


def _function(frame: str, number: int, strings: dict[str, int]) -> bytes:
    found = _PYTHON_FRAME.fullmatch(frame)
    name, file = (found["name"], found["file"]) if found else (frame, "")
    at = strings.setdefault(name, len(strings))
    return _message(
        (1, number),
        (2, at),
        (3, at),
        (4, strings.setdefault(file, len(strings))),
        (5, int(found["line"]) if found else 0),
    )


def _message(*fields: tuple[int, int | bytes]) -> bytes:
    """Fields one after the other; a number that is 0 is left out, as proto3 has it."""
    return b"".join(_field(number, value) for number, value in fields if value != 0)


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _packed(values: Sequence[int]) -> bytes:
    return b"".join(_varint(value) for value in values)


def _varint(value: int) -> bytes:
    return bytes(_septets(value & _MASK))


def _septets(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
