"""The writer: order, refusals of the store, its end; over a store in memory that can refuse."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from steelyard_collector.ingest.accepted import Gap, Origin, Samples, Shape
from steelyard_collector.ingest.form import form_of
from steelyard_collector.ingest.writer import Commits, Writer, WriterLimits, ordered_blocks
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.standins.memory_store import MemoryStore

KIND = batch_pb2.KIND_HOST_SAMPLES
SHAPE = Shape(KIND, (100,), (), (1,))
FORM = form_of((100,), (), 1, 1)
DAY_MS = 86_400_000


def message(seq: int, *, agent: int = 1, day: int = 20_000) -> Samples:
    ts = np.array([day * DAY_MS + seq * 1000], "<i8").tobytes()
    gauges = np.array([0.5], "<f4").tobytes()
    shape = Shape(KIND, (100,), (), (agent,))
    wire = FORM.message(FORM.head(1, agent), seq, ts, gauges, b"")
    return Samples(Origin(agent, 5, KIND, seq), shape, FORM, day, 0, wire)


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def _fail(error: Exception) -> None:
    raise AssertionError("the writer ended") from error


def writer_of(store: MemoryStore, commits: list[Commits], period_s: float = 0.02) -> Writer:
    limits = WriterLimits(period_s=period_s, block_rows=1000, queue_bytes=2000)
    return Writer(store, limits, commits.append, first_flush=0, on_failure=_fail)  # type: ignore[arg-type]


def test_what_is_queued_is_committed_and_said(store: MemoryStore) -> None:
    commits: list[Commits] = []
    writer = writer_of(store, commits)
    writer.start()
    for seq in range(1, 51):
        writer.put(message(seq))
    assert writer.stop(5.0)
    assert commits[-1] == {(1, 5, KIND): 50}
    assert sum(block.num_rows for block in store.tables["raw_host"]) == 50
    assert writer.state.rows == 50
    assert writer.state.queued_bytes == 0


def test_nothing_is_said_while_the_store_refuses_and_nothing_is_lost(store: MemoryStore) -> None:
    commits: list[Commits] = []
    store.is_refusing = True
    writer = writer_of(store, commits)
    writer.start()
    for seq in range(1, 201):
        writer.put(message(seq))
    until(lambda: store.refusals >= 2)
    assert not commits
    assert writer.is_full
    assert "Cannot reserve" in writer.state.last_error
    store.is_refusing = False
    until(lambda: bool(commits) and commits[-1] == {(1, 5, KIND): 200})
    assert writer.state.last_error == ""
    assert not writer.is_full
    assert writer.stop(5.0)


def test_it_ends_while_the_store_refuses(store: MemoryStore) -> None:
    commits: list[Commits] = []
    store.is_refusing = True
    writer = writer_of(store, commits)
    writer.start()
    writer.put(message(1))
    until(lambda: store.refusals >= 1)
    assert not writer.stop(0.1)
    assert not commits


def test_an_intent_comes_before_each_block_and_progress_after(store: MemoryStore) -> None:
    order: list[str] = []
    insert = store.insert
    store.insert = lambda table, block, token: (order.append(table), insert(table, block, token=token))[1]  # type: ignore[method-assign]
    writer = writer_of(store, [])
    writer.start()
    writer.put(message(1))
    assert writer.stop(5.0)
    assert order == ["intent", "raw_host", "progress"]
    intent = store.tables["intent"][0].to_pylist()[0]
    assert (intent["agents"], intent["seqs"], intent["sign_seq"]) == ([1], [1], 1)
    assert len(set(store.tokens)) == 3


def test_registry_rows_are_told_once_committed(store: MemoryStore) -> None:
    done = threading.Event()
    writer = writer_of(store, [])
    writer.start()
    writer.put_rows("agent", [{"agent": 1}], pa.schema([("agent", pa.uint32())]), done.set)
    assert done.wait(60)
    assert writer.stop(5.0)


def test_a_later_message_never_commits_before_an_earlier_one() -> None:
    # A clock that jumps over midnight and back: 1 and 3 lie in one day, 2 in the next.
    messages = [message(1), message(2, day=20_001), message(3), message(1, agent=2), message(2, agent=2, day=20_001)]
    blocks = ordered_blocks(messages, 1000)
    place = {(m.origin.agent, m.origin.seq): index for index, block in enumerate(blocks) for m in block.messages}
    assert place[1, 1] <= place[1, 2] <= place[1, 3]
    assert place[2, 1] <= place[2, 2]
    assert all(len({m.day for m in block.messages}) == 1 for block in blocks)


def test_a_lost_range_keeps_its_place_in_the_order() -> None:
    lost = ingest_pb2.Lost(kind=KIND, seq_from=2, seq_to=9, reason="ring_full")
    messages = [message(1), Gap(Origin(1, 5, KIND, 9), lost), message(10)]
    assert [block.table for block in ordered_blocks(messages, 1000)] == ["raw_host", "gap", "raw_host"]


def test_a_fault_of_ours_ends_it_and_is_told(store: MemoryStore) -> None:
    failures: list[Exception] = []
    commits: list[Commits] = []
    writer = Writer(
        store,  # type: ignore[arg-type]
        WriterLimits(period_s=0.01),
        commits.append,
        first_flush=0,
        on_failure=failures.append,
    )
    writer.start()
    broken = Samples(Origin(7, 5, KIND, 9), SHAPE, FORM, 20_000, 0, b"three")
    writer.put(broken)
    until(lambda: bool(failures))
    assert "agent 7" in "".join(failures[0].__notes__)
    assert "seq 9" in "".join(failures[0].__notes__)
    assert not commits
