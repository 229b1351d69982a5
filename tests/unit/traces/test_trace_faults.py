"""What is no trace, or only a part of one: the error names the file, the place and what to do."""

import gzip
import random
import re
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import SteelyardError, TraceError
from steelyard_traces.decimal_time import nanoseconds
from steelyard_traces.reading import read_recording
from tests.standins.kineto_trace import call, trace_text

GOOD = trace_text([call("aten::mm", i * 100, 50) for i in range(50)]).encode()
FAULTS = {
    "empty": (b"", "is empty.*record again"),
    "no trace": (b'{"a": 1}', "no `traceEvents`.*torch.profiler"),
    "a log": (b"step 1 loss 3.2\n", "no `traceEvents`"),
    "cut in an event": (GOOD[: len(GOOD) // 2], r"byte [\d,]+: ends in the middle of an event.*died"),
    "cut behind an event": (GOOD[: GOOD.rindex(b"},") + 2], r"byte [\d,]+: ends"),
    "cut behind the events": (GOOD.rstrip(b"}\n ")[:-1], "ends"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "UTF-16; write it as UTF-8"),
    "latin-1": (GOOD.replace(b"aten::mm", b"\xe9t\xe9", 1), f"byte {GOOD.find(b'aten::mm'):,}: not UTF-8"),
    "broken inside": (GOOD.replace(b'"dur"', b'"dur', 1), r"byte [\d,]+: no JSON"),
    "a zip": (b"PK\x03\x04rest", "run `unzip`"),
    "cut gzip": (gzip.compress(GOOD)[:-20], "cut off; copy the file again"),
    "broken gzip": (b"\x1f\x8b\x08" + b"\x00" * 7 + b"\xff" * 40, "gzip stream is broken"),
    "times of no clock": (re.sub(rb'"ts": [\d.]+', b'"ts": 1e300', GOOD), "none of its 50 events has a usable time"),
    "nothing recorded": (trace_text([{"ph": "M", "name": "p"}]).encode(), "no operator and no kernel.*record again"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_error_says_what_where_and_what_to_do(tmp_path: Path, fault: str) -> None:
    data, said = FAULTS[fault]
    path = tmp_path / "rank3.json"
    path.write_bytes(data)
    with pytest.raises(TraceError) as caught:
        read_recording(path)
    assert str(path) in str(caught.value)
    assert re.search(said, str(caught.value)), caught.value


def test_a_missing_file_a_folder_and_a_bomb(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is not there"):
        read_recording(tmp_path / "none.json")
    with pytest.raises(TraceError, match=str(tmp_path)):
        read_recording(tmp_path)
    bomb = tmp_path / "bomb.json.gz"
    bomb.write_bytes(gzip.compress(b'{"traceEvents": [' + b" " * (80 << 20) + b"]}", 9))
    with pytest.raises(TraceError, match="more than 200 times its size"):
        read_recording(bomb)


def test_nothing_but_our_error_comes_of_damage(tmp_path: Path) -> None:
    chance = random.Random(20)
    path = tmp_path / "damaged.json"
    for _ in range(150):
        data = bytearray(GOOD)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.randrange(1, len(data) + 1)] if chance.random() < 0.5 else data)
        said = str(path)
        try:
            read_recording(path)
        except SteelyardError as error:
            said = str(error)
        assert str(path) in said


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1736408883704643.212\t", 1736408883704643212),
        ('"12.5"', 12500),
        ("7", 7000),
        ("-3.001", -3001),
        ("1.7364088837046432E+15", 1736408883704643200),
        ("0.0004", 0),
        ("N/A", None),
        ("", None),
        ("nan", None),
        ("1e400", None),
    ],
)
def test_microseconds_are_read_by_their_digits(text: str, ns: int | None) -> None:
    assert nanoseconds(text) == ns
