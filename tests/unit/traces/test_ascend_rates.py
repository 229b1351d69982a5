"""What msprof sampled of memory and links: from its database, and from its tables where there is none."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from steelyard_proto.errors import TraceError
from steelyard_traces.document import as_document
from steelyard_traces.profile import Rate
from steelyard_traces.reading import read_recording
from tests.standins.ascend_export import write_run, write_table
from tests.standins.msprof import HBM, HCCS, MIB, ROCE, write_sampling


def by_key(rates: tuple[Rate, ...]) -> dict[tuple[str, str, str], Rate]:
    return {(rate.link, rate.direction, rate.part): rate for rate in rates}


def test_a_database_tells_mean_least_and_most_of_each_link_in_bytes(tmp_path: Path) -> None:
    profile = read_recording(write_sampling(tmp_path)).profile
    rates = by_key(profile.rates)
    assert rates["hbm", "read", "0"] == Rate(3, "hbm", "read", "0", 800.0 * MIB, 700.0 * MIB, 900.0 * MIB, 2)
    assert rates["hbm", "write", "1"].min_bytes_per_s == 0
    assert rates["hccs", "sent", ""].mean_bytes_per_s == sum(HCCS[0]) / 2
    assert rates["roce", "received", "0"].max_bytes_per_s == max(ROCE[0])
    # Of the sample in which nothing moved no minimum is taken that isn't one.
    assert rates["pcie", "sent", "posted"] == Rate(3, "pcie", "sent", "posted", 1.5e6, 0, 5e6, 2)
    assert len(rates) == 2 * len(HBM["read"]) + 2 + 6 + 2
    assert (profile.parts, profile.devices, as_document(profile)["totals"]["window_ns"]) == ((), 0, None)


def test_tables_tell_the_same_sums_but_no_roce(tmp_path: Path) -> None:
    of_tables = by_key(read_recording(write_sampling(tmp_path / "b", has_database=False)).profile.rates)
    of_database = by_key(read_recording(write_sampling(tmp_path / "a")).profile.rates)
    assert set(of_database) - set(of_tables) == {("roce", "sent", "0"), ("roce", "received", "0")}
    for key, rate in of_tables.items():
        assert rate.mean_bytes_per_s == pytest.approx(of_database[key].mean_bytes_per_s, rel=1e-3)
    assert of_tables["hccs", "received", ""].max_bytes_per_s == max(HCCS[1])
    assert of_tables["hbm", "read", "0"].max_bytes_per_s is None


def test_what_is_no_rate_is_left_out(tmp_path: Path) -> None:
    rows = [
        {"Metric": "Average", "Read(MB/s)": "N/A", "Write(MB/s)": "2"},
        {"Metric": "0", "Read(MB/s)": "inf", "Write(MB/s)": "-1"},
    ]
    write_table(tmp_path / "hbm_20250109154900.csv", tuple(rows[0]), rows)
    with pytest.raises(TraceError, match="no recording in it"):
        read_recording(tmp_path)
    write_table(tmp_path / "hbm_20250109154900.csv", tuple(rows[0]), rows[:1])
    assert read_recording(tmp_path).profile.rates == (Rate(0, "hbm", "write", "", 2.0 * MIB),)


def test_an_export_of_torch_npu_has_them_beside_its_kernels(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    rows = [{"Mode": "Tx (MB/s)", "Max": "3", "Min": "1", "Average": "2"}]
    write_table(run / "ASCEND_PROFILER_OUTPUT/hccs.csv", tuple(rows[0]), rows)
    profile = read_recording(run).profile
    assert profile.kernels > 0
    assert profile.rates == (Rate(0, "hccs", "sent", "", 2.0 * MIB, 1.0 * MIB, 3.0 * MIB),)


def test_several_recordings_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    run = write_sampling(tmp_path)
    (database,) = run.glob("*.db")
    with closing(sqlite3.connect(database)) as db:
        db.executescript("UPDATE HBM SET bandwidth = 'x'; DROP TABLE HCCS; CREATE TABLE HCCS (other INTEGER);")
    with pytest.raises(TraceError, match="no such column: deviceId"):
        read_recording(run)
    run.rename(tmp_path / "PROF_2")
    write_sampling(tmp_path)
    with pytest.raises(TraceError, match="2 databases are in it"):
        read_recording(tmp_path)


def test_a_view_in_a_tables_place_is_not_read(tmp_path: Path) -> None:
    """It could compute without end."""
    run = write_sampling(tmp_path)
    (database,) = run.glob("*.db")
    endless = "WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n) SELECT x AS id, 'read' AS value FROM n"
    with closing(sqlite3.connect(database)) as db:
        db.executescript(f"CREATE VIEW COMPUTE_TASK_INFO AS {endless}; DROP TABLE HCCS; CREATE VIEW HCCS AS {endless}")
    assert "hccs" not in {rate.link for rate in read_recording(run).profile.rates}
    with closing(sqlite3.connect(database)) as db:
        db.executescript(f"DROP TABLE STRING_IDS; CREATE VIEW STRING_IDS AS {endless}")
    with pytest.raises(TraceError, match="not read by SQLite"):
        read_recording(run)
