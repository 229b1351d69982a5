"""Databases of Ascend: the same sums as from text, whatever other tools have added, and clear words for the rest."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import TraceError
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import EPOCH_NS, KERNELS, write_run

NO_CONNECTION = 4_294_967_295


def _database(path: Path, *, is_viewed: bool = False) -> None:
    """What an export to a database holds of `KERNELS`, with a wait that is no kernel."""
    strings: dict[str, int] = {}

    def text(value: str) -> int:
        return strings.setdefault(value, len(strings))

    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            """
            CREATE TABLE STRING_IDS (id INTEGER, value TEXT);
            CREATE TABLE TASK (
                startNs INTEGER, endNs INTEGER, deviceId INTEGER, connectionId INTEGER, globalTaskId INTEGER
            );
            CREATE TABLE COMPUTE_TASK_INFO (name INTEGER, globalTaskId INTEGER, opType INTEGER, taskType INTEGER);
            CREATE TABLE COMMUNICATION_OP (
                opName INTEGER, startNs INTEGER, endNs INTEGER, connectionId INTEGER, opType INTEGER
            );
            CREATE TABLE CANN_API (startNs INTEGER, endNs INTEGER, connectionId INTEGER);
            CREATE TABLE PYTORCH_API (startNs TEXT, endNs TEXT, globalTid INTEGER, name INTEGER, type INTEGER);
            CREATE TABLE STEP_TIME (id INTEGER, startNs INTEGER, endNs INTEGER);
            CREATE TABLE NPU_INFO (id INTEGER, name TEXT);
            CREATE TABLE RANK_DEVICE_MAP (rankId INTEGER, deviceId INTEGER);
            INSERT INTO NPU_INFO VALUES (4, 'Ascend910B');
            INSERT INTO RANK_DEVICE_MAP VALUES (2, 4);
            """
        )
        db.execute("INSERT INTO TASK VALUES (?, ?, 4, ?, 99)", (EPOCH_NS - 10**9, EPOCH_NS, NO_CONNECTION))
        for i, (name, kind, core, start, length) in enumerate(KERNELS):
            span = (EPOCH_NS + start, EPOCH_NS + start + length)
            if core == "HCCL":
                db.execute("INSERT INTO COMMUNICATION_OP VALUES (?, ?, ?, ?, ?)", (text(name), *span, i, text(kind)))
            else:
                db.execute("INSERT INTO TASK VALUES (?, ?, 4, ?, ?)", (*span, i, i))
                db.execute("INSERT INTO COMPUTE_TASK_INFO VALUES (?, ?, ?, ?)", (text(name), i, text(kind), text(core)))
            db.execute("INSERT INTO CANN_API VALUES (?, ?, ?)", (EPOCH_NS - 5_000 + i, EPOCH_NS - 4_000 + i, i))
        calls: Sequence[tuple[str, int, int, int]] = (
            ("aten::linear", 0, 500, 50001),
            ("aten::addmm", 100, 400, 50001),
            ("Enqueue", 120, 130, 50002),
            ("ProfilerStep#50", 0, 900, 50001),
        )
        for name, begin, end, kind in calls:
            row = (str(EPOCH_NS + begin), str(EPOCH_NS + end), text(name), kind)
            db.execute("INSERT INTO PYTORCH_API VALUES (?, ?, 1, ?, ?)", row)
        # The host is done with the first step long before the device is.
        steps = ((50, EPOCH_NS - 9_000, EPOCH_NS - 1_000), (51, EPOCH_NS - 1_000, EPOCH_NS + 5_000))
        db.executemany("INSERT INTO STEP_TIME VALUES (?, ?, ?)", steps)
        db.executemany("INSERT INTO STRING_IDS VALUES (?, ?)", [(number, value) for value, number in strings.items()])
        if is_viewed:
            db.executescript("ALTER TABLE TASK ADD COLUMN depth INTEGER; CREATE TABLE OVERLAP_ANALYSIS (id INTEGER);")
        db.commit()


@pytest.mark.parametrize("is_viewed", [False, True], ids=["as exported", "opened by another tool"])
def test_the_sums_are_those_of_the_text_export(tmp_path: Path, is_viewed: bool) -> None:
    output = tmp_path / "run_ascend_pt" / "ASCEND_PROFILER_OUTPUT"
    output.mkdir(parents=True)
    database = output / "ascend_pytorch_profiler_2.db"
    _database(database, is_viewed=is_viewed)
    before = database.read_bytes()
    text = read_recording(write_run(tmp_path / "text")).profile
    for path in (database, output, tmp_path / "run_ascend_pt"):
        profile = read_recording(path).profile
        assert (profile.split, profile.parts, profile.kernels_ns) == (text.split, text.parts, text.kernels_ns)
        assert [(w.name, w.total_ns) for w in profile.types] == [(w.name, w.total_ns) for w in text.types]
        assert (profile.chip, profile.rank, profile.devices) == ("Ascend910B", "2", 1)
        assert [(step.name, step.wall_ns) for step in profile.steps] == [("50", 8_000)], "by when the host asked for it"
        assert [(c.name, c.total_ns, c.self_ns) for c in profile.calls] == [
            ("aten::addmm", 300, 300),
            ("aten::linear", 500, 200),
        ]
    assert database.read_bytes() == before


def test_what_is_no_recording_says_so(tmp_path: Path) -> None:
    whole = tmp_path / "msprof_1.db"
    _database(whole)
    cut = tmp_path / "cut.db"
    cut.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(TraceError, match=r"cut.db: not read by SQLite .*copy it again"):
        read_recording(cut)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE a (b)")
    with pytest.raises(TraceError, match="no table COMPUTE_TASK_INFO"):
        read_recording(other)
    with closing(sqlite3.connect(whole)) as db:
        db.execute("ALTER TABLE TASK RENAME COLUMN startNs TO began")
        db.commit()
    with pytest.raises(TraceError, match=r"no such column: task\.startNs"):
        read_recording(whole)
    for table in ("COMPUTE_TASK_INFO", "COMMUNICATION_OP"):
        with closing(sqlite3.connect(whole)) as db:
            db.execute(f"DELETE FROM {table}")
            db.execute("UPDATE TASK SET deviceId = 4")
            db.commit()
    with closing(sqlite3.connect(whole)) as db:
        db.execute("ALTER TABLE TASK RENAME COLUMN began TO startNs")
        db.commit()
    with pytest.raises(TraceError, match="no kernel in its tables"):
        read_recording(whole)


def test_of_several_databases_one_must_be_named(tmp_path: Path) -> None:
    for rank in (0, 1):
        _database(tmp_path / f"ascend_pytorch_profiler_{rank}.db")
    with pytest.raises(TraceError, match="2 databases are in it; name one"):
        read_recording(tmp_path)
