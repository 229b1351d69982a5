"""pprof's format, read back by the field numbers of its published schema."""

import gzip
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard_traces.profile import Stack
from steelyard_tui.cli import main
from steelyard_tui.traces.pprof import as_pprof
from tests.standins.kineto_trace import call, kernel, launch, trace_text

Fields = dict[int, list[int | bytes]]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _fields(data: bytes) -> Fields:
    fields: Fields = defaultdict(list)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value, at = _varint(data, at)
        if key & 7 == 0:
            fields[key >> 3].append(value)
        else:
            assert key & 7 == 2, "a field is a varint or has a length"
            assert at + value <= len(data)
            fields[key >> 3].append(data[at : at + value])
            at += value
    return fields


def _numbers(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _one(fields: Fields, number: int) -> int:
    values = fields.get(number, [0])
    assert len(values) == 1
    assert isinstance(values[0], int)
    return values[0]


def _messages(fields: Fields, number: int) -> list[Fields]:
    return [_fields(data) for data in fields.get(number, []) if isinstance(data, bytes)]


def _read(packed: bytes) -> tuple[dict[tuple[tuple[str, str, int], ...], int], tuple[str, str]]:
    """Samples by their frames (name, file, line) from the innermost on, and what their values are."""
    profile = _fields(gzip.decompress(packed))
    strings = [data.decode() for data in profile[6] if isinstance(data, bytes)]
    assert strings[0] == ""
    functions = {_one(f, 1): (strings[_one(f, 2)], strings[_one(f, 4)]) for f in _messages(profile, 5)}
    locations = {}
    for location in _messages(profile, 4):
        (line,) = _messages(location, 4)
        locations[_one(location, 1)] = (*functions[_one(line, 1)], _one(line, 2))
    assert 0 not in locations
    assert 0 not in functions
    samples = {}
    for sample in _messages(profile, 2):
        (ids,), (values,) = sample.get(1, [b""]), sample.get(2, [b"\0"])
        assert isinstance(ids, bytes)
        assert isinstance(values, bytes)
        (value,) = _numbers(values)
        samples[tuple(locations[one] for one in _numbers(ids))] = value
    (kind,) = _messages(profile, 1)
    assert _one(profile, 10) == sum(samples.values())
    return samples, (strings[_one(kind, 1)], strings[_one(kind, 2)])


def test_frames_lead_from_the_innermost_and_python_has_files_and_lines() -> None:
    stacks = [
        Stack(("train.py(70): step", "aten::mm", "gemm"), 3_000_000_000),
        Stack(("train.py(70): step", "aten::add"), 20),
    ]
    samples, kind = _read(as_pprof(stacks))
    assert kind == ("time", "nanoseconds")
    step = ("step", "train.py", 70)
    assert samples == {
        (("gemm", "", 0), ("aten::mm", "", 0), step): 3_000_000_000,
        (("aten::add", "", 0), step): 20,
    }


FRAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.dictionaries(st.tuples(FRAMES, FRAMES), st.integers(1, 2**62 // 8), max_size=6))
def test_every_stack_comes_back(rows: dict[tuple[str, ...], int]) -> None:
    samples, _ = _read(as_pprof([Stack(frames, ns) for frames, ns in rows.items()]))
    assert sorted(samples.values()) == sorted(rows.values())


def test_the_command_writes_it_and_spares_the_terminal(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trace.json"
    path.write_text(trace_text([call("aten::mm", 0, 90), launch(10, 5, 1), kernel("gemm", 200, 40, 1)]))
    command = ["ops", "--file", str(path), "--format", "pprof"]
    assert main(command) == 0
    samples, _ = _read(capfdbinary.readouterr().out)
    assert [(frames[0][0], ns) for frames, ns in samples.items()] == [("gemm", 40)]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(command) == 2
    said = capfdbinary.readouterr()
    assert not said.out
    assert b"write it to a file" in said.err
