"""Every question in docs/sql.md, and every example of the console, has an answer in a store with one device."""

import re
import time
from pathlib import Path

import pytest

from steelyard_collector.sql.pool import open_reader
from steelyard_collector.store.base import ReadLimits
from steelyard_collector.store.open import open_store
from steelyard_tui.queries import read_examples
from tests.integration.collector.fleet_rows import raw_block, register

PAGE = Path(__file__).parents[3] / "docs/sql.md"
DOCUMENTED = re.findall(r"```sql\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
QUERIES = [*DOCUMENTED, *(example.sql for example in read_examples())]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(f"chdb://{tmp_path_factory.mktemp('documented') / 'store'}")
    now_ms = int(time.time() * 1000)
    register(store, [{"device_id": 1, "agent": 1}], now_ms=now_ms)
    rows = [{"device_id": 1, "ts": now_ms - 1000 * n, "seq": 9 - n, "busy": 0.1, "power_w": 90.0} for n in range(5)]
    store.insert("raw_device", raw_block(rows), token="documented")
    yield store
    store.close()


def test_the_page_has_questions() -> None:
    assert len(DOCUMENTED) >= 8


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(query.split())[:40])
def test_a_documented_question_has_an_answer(store, query) -> None:
    reader = open_reader(store, ReadLimits(seconds=10, memory_bytes=300_000_000, result_rows=2000, threads=1))
    try:
        assert reader.query_arrow(query).column_names
    finally:
        reader.close()
