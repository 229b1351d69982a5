"""Every parser under damage: cut, changed, in another encoding, packed, renamed: our own error or a profile."""

import gzip
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import SteelyardError, TraceError
from steelyard_traces.document import as_document
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import EPOCH_NS, KERNELS, write_run, write_summary, write_table
from tests.standins.ascend_timeline import write_timeline
from tests.standins.kineto_trace import call, kernel, launch, trace_text

Writer = Callable[[Path], Path]
NANOSECONDS_A_YEAR = 365 * 86_400 * 10**9


def _kineto(folder: Path) -> Path:
    path = folder / "trace.json"
    dims = {"Input Dims": [[8, 8], [8, 8]], "Input type": ["float", "float"]}
    path.write_text(trace_text([call("aten::mm", 0, 900, **dims), launch(10, 5, 1), kernel("gemm", 50, 90, 1)]))
    return path


def _timeline(folder: Path) -> Path:
    return write_timeline(folder / "trace_view.json")


def _table(folder: Path) -> Path:
    return write_run(folder) / "ASCEND_PROFILER_OUTPUT" / "kernel_details.csv"


def _summary(folder: Path) -> Path:
    return next(write_summary(folder).rglob("op_summary_*.csv"))


def _lines(folder: Path) -> Path:
    path = folder / "msmonitor_1.jsonl"
    rows = [
        {"kind": "Communication" if core == "HCCL" else "Kernel", "name": name, "deviceId": 0, "type": core,
         "startNs": EPOCH_NS + start, "endNs": EPOCH_NS + start + length}
        for name, _, core, start, length in KERNELS
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _database(folder: Path) -> Path:
    path = folder / "msprof_1.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            """
            CREATE TABLE STRING_IDS (id INTEGER, value TEXT);
            CREATE TABLE TASK (startNs INTEGER, endNs INTEGER, deviceId INTEGER, connectionId INTEGER,
                globalTaskId INTEGER);
            CREATE TABLE COMPUTE_TASK_INFO (name INTEGER, globalTaskId INTEGER, opType INTEGER, taskType INTEGER,
                inputShapes INTEGER, inputDataTypes INTEGER, outputShapes INTEGER);
            INSERT INTO STRING_IDS VALUES (0, 'mm'), (1, 'MatMulV2'), (2, 'AI_CORE'), (3, '8,8;8,8'), (4, 'DT_BF16'),
                (5, '8,8');
            INSERT INTO COMPUTE_TASK_INFO VALUES (0, 1, 1, 2, 3, 4, 5);
            """
        )
        db.execute("INSERT INTO TASK VALUES (?, ?, 0, 0, 1)", (EPOCH_NS, EPOCH_NS + 1_000))
        db.commit()
    return path


WRITERS: dict[str, Writer] = {
    "kineto": _kineto,
    "timeline": _timeline,
    "table": _table,
    "summary": _summary,
    "lines": _lines,
    "database": _database,
}


def _attempt(path: Path) -> str:
    """What is said of a file; anything but our own error is a failure of the test."""
    try:
        recording = read_recording(path)
        json.dumps(as_document(recording.profile), allow_nan=False)
        recording.stacks()
    except SteelyardError as error:
        return str(error)
    return str(path)


@pytest.mark.parametrize("kind", WRITERS)
def test_damage_gives_our_error_or_a_profile(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path)
    good = path.read_bytes()
    assert read_recording(path).profile.kernels
    chance = random.Random(kind)
    for turn in range(60):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.randrange(1, len(data) + 1)] if turn % 2 else data)
        assert str(tmp_path) in _attempt(path)


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "database"])
def test_other_encodings_and_empty_files_are_refused(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path)
    good = path.read_text(encoding="utf-8")
    path.write_bytes(good.encode("utf-16"))
    with pytest.raises(TraceError, match=r"UTF-8|UTF-16"):
        read_recording(path)
    path.write_bytes(b"")
    with pytest.raises(TraceError, match="empty"):
        read_recording(path)
    path.write_bytes(b"\xef\xbb\xbf" + good.encode())
    assert read_recording(path).profile.kernels


@pytest.fixture(scope="module")
def spaces() -> bytes:
    return gzip.compress(b" " * (80 << 20), 9)


@pytest.mark.parametrize("kind", ["kineto", "timeline", "lines"])
def test_a_packed_one_is_read_and_a_bomb_is_not(tmp_path: Path, kind: str, spaces: bytes) -> None:
    path = WRITERS[kind](tmp_path)
    good = path.read_bytes()
    path.write_bytes(gzip.compress(good))
    assert read_recording(path).profile.kernels
    path.write_bytes(gzip.compress(good[:-1]) + spaces + gzip.compress(good[-1:]))
    with pytest.raises(TraceError, match=r"times its size|MiB"):
        read_recording(path)


def _times_moved(data: bytes, years: int) -> bytes:
    return data.replace(str(EPOCH_NS)[:7].encode(), str(EPOCH_NS + years * NANOSECONDS_A_YEAR)[:7].encode())


@pytest.mark.parametrize("kind", ["timeline", "table", "lines"])
def test_a_clock_of_another_year_changes_no_length(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path)
    before = read_recording(path).profile
    path.write_bytes(_times_moved(path.read_bytes(), 40))
    after = read_recording(path).profile
    assert (after.split, after.kernels_ns, after.parts) == (before.split, before.kernels_ns, before.parts)


def test_unknown_columns_and_absent_values_are_no_matter_and_a_renamed_one_is_named(tmp_path: Path) -> None:
    columns = ("Later Column", "Name", "Type", "Accelerator Core", "Start Time(us)", "Duration(us)")
    row = ("x", "mm", "MatMulV2", "AI_CORE", "1736408883704643.217", "40")
    rows = [dict(zip(columns, row, strict=True))]
    path = tmp_path / "kernel_details.csv"
    write_table(path, columns, [*rows, {**rows[0], "Duration(us)": "N/A"}])
    profile = read_recording(path).profile
    assert (profile.kernels_ns, profile.notes[0][:2]) == (40_000, "1 ")
    write_table(path, (*columns[:5], "Length(us)"), [{**rows[0], "Length(us)": "40"}])
    with pytest.raises(TraceError, match=r"no column `Duration\(us\)`.*Length"):
        read_recording(path)


@pytest.mark.parametrize("mode", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_database_that_another_tool_holds_is_read(tmp_path: Path, mode: str) -> None:
    path = _database(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"BEGIN {mode}")
        assert read_recording(path).profile.kernels == 1


def test_what_another_tool_has_not_written_back_yet_is_read_too(tmp_path: Path) -> None:
    path = _database(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("PRAGMA wal_autocheckpoint = 0")
        other.execute("INSERT INTO TASK VALUES (?, ?, 0, 0, 2)", (EPOCH_NS + 5_000, EPOCH_NS + 7_000))
        other.execute("INSERT INTO COMPUTE_TASK_INFO VALUES (0, 2, 1, 2, 3, 4, 5)")
        (work,) = read_recording(path).profile.types
        assert (work.count, work.total_ns, work.flops) == (2, 3_000, 2 * 2 * 8 * 8 * 8)


def test_a_time_beyond_all_clocks_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    text = trace_text([kernel("gemm", 10, 90, 1), kernel("gemm", 777_000, 90, 2)])
    path.write_text(text.replace("777.000", "9e300"), encoding="utf-8")
    profile = read_recording(path).profile
    assert (profile.kernels_ns, profile.window_ns) == (90, 90)
    assert "1 events without a usable time" in profile.notes[0]


@pytest.mark.parametrize("value", ["NULL", "'later'", "x'00ff'", "1e300", "9223372036854775807"])
@pytest.mark.parametrize("column", ["TASK.deviceId", "TASK.startNs", "TASK.endNs", "STRING_IDS.value"])
def test_a_database_may_hold_anything_in_any_column(tmp_path: Path, column: str, value: str) -> None:
    path = _database(tmp_path)
    table, name = column.split(".")
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE {table} SET {name} = {value}")
        db.commit()
    assert str(path) in _attempt(path)


def test_a_document_without_end_of_nesting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"traceEvents": [{"ph": "X", "args": ' + "[" * 200_000)
    assert str(path) in _attempt(path)
