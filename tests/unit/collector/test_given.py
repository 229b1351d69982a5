"""Which metrics are taken for given, and which are new."""

import pyarrow as pa

from steelyard_collector.store.given import device_metrics, given_in, loaded, rows_of
from steelyard_collector.store.rollup_columns import of_counters_before, of_raw_rows


def test_what_a_block_gives() -> None:
    block = pa.table(
        {
            "device_id": pa.array([1, 2], pa.uint32()),
            "busy": pa.array([None, 0.5], pa.float32()),
            "health": pa.array([None, None], pa.float32()),
            "power_w": pa.array([1.0, 2.0], pa.float32()),
        }
    )
    assert given_in(block, frozenset({"power_w"})) == {"busy"}


def test_an_old_store_may_hold_anything() -> None:
    assert loaded({"names": [], "has_rows": 1}) == device_metrics()
    assert loaded({"names": [], "has_rows": 0}) == {"power_w", "energy_mj"}
    assert loaded({"names": ["busy", "of_a_later_version"], "has_rows": 1}) == {"busy", "power_w", "energy_mj"}


def test_rows_are_as_the_table_has_them() -> None:
    rows = rows_of(frozenset({"busy", "health"}), clock=lambda: 7.0)
    assert rows["name"].to_pylist() == ["busy", "health"]
    assert rows["recorded"].cast(pa.int64()).to_pylist() == [7000, 7000]


def test_rollups_name_only_what_is_given() -> None:
    given = frozenset({"power_w", "energy_mj"})
    assert of_raw_rows(given)["names"] == ", raw.power_w AS power_w, raw.energy_mj AS energy_mj"
    before = of_counters_before(given)
    assert before["figures"].startswith(", argMax(raw.energy_mj, raw.ts) AS energy_mj, ")
    # No counter of the slow class: none is looked for far back.
    assert before["has_slow_counter"] == "false"
