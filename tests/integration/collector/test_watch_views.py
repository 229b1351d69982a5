"""Query.Watch: one reading a tick for all, a page for each, the newest for the slow."""

import asyncio
import io

import pyarrow as pa
import pytest

from steelyard_collector.live.filter import BadRequest
from steelyard_collector.live.watch import LiveViews
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import query_pb2
from steelyard_tui.client import WatchQuery, connect
from tests.integration.collector.small_store import ROWS, doors, small_store, until


class Clock:
    """Counts the readings: each asks for the time once."""

    def __init__(self):
        self.now = 1000

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with small_store(tmp_path_factory.mktemp("watch") / "store") as store:
        yield store


@pytest.fixture
async def views(store):
    views = LiveViews(store, Clock())
    yield views
    await views.close()


def request(view="devices", **asked):
    return query_pb2.WatchRequest(view=view, **({"period_ms": 200} | asked))


def rows(reply):
    return pa.ipc.open_stream(io.BytesIO(reply.arrow_ipc)).read_all()


async def test_a_frame_has_the_page_and_the_counts(views):
    stream = views.watch(request(filter="chip:h100 busy<0.1", order="busy", descending=True, limit=2, columns=["busy"]))
    reply = await anext(stream)
    await stream.aclose()
    assert (reply.total_rows, reply.all_rows) == (27, ROWS)
    assert rows(reply)["busy"].to_pylist() == pytest.approx([0.099, 0.096])


async def test_the_views_own_order_is_by_node_and_place(views):
    stream = views.watch(request(limit=3))
    table = rows(await anext(stream))
    await stream.aclose()
    assert table.select(["node", "device_index"]).to_pylist() == [
        {"node": "n0", "device_index": index} for index in range(3)
    ]


async def test_frames_go_on_with_the_clock(views):
    stream = views.watch(request(columns=["node"], limit=1))
    times = [(await anext(stream)).time_ms for _ in range(3)]
    await stream.aclose()
    assert times == sorted(set(times))


async def test_twenty_watchers_of_one_view_cost_one_reading_a_tick(views):
    streams = [views.watch(request(columns=["node"], filter="n1", limit=5)) for _ in range(20)]
    await asyncio.gather(*(anext(stream) for stream in streams))
    before = views.readings
    for _ in range(3):
        replies = await asyncio.gather(*(anext(stream) for stream in streams))
        assert len({reply.arrow_ipc for reply in replies}) == 1
    assert views.watchers == 20
    assert views.readings - before <= 4
    for stream in streams:
        await stream.aclose()
    assert views.watchers == 0


async def test_watchers_with_other_columns_share_the_reading(views):
    first = views.watch(request(columns=["node"], limit=1))
    await anext(first)
    second = views.watch(request(columns=["busy", "chip"], filter="job:llama", limit=1))
    assert rows(await anext(second)).column_names == ["busy", "chip"]
    assert rows(await anext(first)).column_names == ["node"]
    await first.aclose()
    await second.aclose()


async def test_a_slow_watcher_gets_the_newest_only(views):
    slow = views.watch(request(columns=["node"], limit=1))
    fast = views.watch(request(columns=["node"], limit=1))
    before = (await anext(slow)).time_ms
    newest = 0
    for _ in range(5):
        newest = (await anext(fast)).time_ms
    assert (await anext(slow)).time_ms >= newest > before + 3
    await slow.aclose()
    await fast.aclose()


async def test_nobody_watching_means_nothing_is_read(views):
    stream = views.watch(request(columns=["node"]))
    await anext(stream)
    await stream.aclose()
    before = views.readings
    await asyncio.sleep(0.5)
    assert views.readings == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"view": "secrets"}, "no live view 'secrets'; watch one of devices"),
        ({"view": "device_history"}, "ask for others by SQL"),
        ({"view": "devices; DROP TABLE x"}, "no live view"),
        ({"columns": ["nope"]}, "no column 'nope'"),
        ({"filter": "busy<x"}, "no number"),
        ({"order": "nope"}, "no column 'nope'"),
    ],
)
async def test_a_wrong_request_is_refused_at_once(views, asked, said):
    with pytest.raises(BadRequest, match=said):
        await anext(views.watch(request(**asked)))
    assert views.watchers == 0


async def test_a_log_is_watched_at_its_newest_end(views, store):
    store.command("INSERT INTO steelyard_store.event SELECT toDateTime64('2026-01-01', 3, 'UTC') + number, "
                  "toString(number) FROM numbers(20000)")  # fmt: skip
    stream = views.watch(request("events", limit=2))
    reply = await anext(stream)
    await stream.aclose()
    assert rows(reply)["text"].to_pylist() == ["19999", "19998"]
    assert reply.all_rows == 10_000


async def test_a_failed_reading_lets_the_figures_age_and_then_says_so(views, store):
    store.command("CREATE VIEW steelyard.agents AS SELECT toUInt32(1) AS agent, 'n1' AS node")
    stream = views.watch(request("agents"))
    assert rows(await anext(stream))["node"].to_pylist() == ["n1"]
    store.command("DROP TABLE steelyard.agents")
    with pytest.raises(StoreError, match="agents"):
        [reply async for reply in stream]
    store.command("CREATE VIEW steelyard.agents AS SELECT toUInt32(1) AS agent, 'n2' AS node")
    again = views.watch(request("agents"))
    assert rows(await anext(again))["node"].to_pylist() == ["n2"]
    await again.aclose()
    store.command("DROP TABLE steelyard.agents")


def test_the_terminal_programs_client_watches_and_leaves(store):
    with doors(store) as opened, connect(opened.address) as client:
        stream = client.watch(WatchQuery("nodes", filter="n1", order="devices", limit=2, period_ms=200))
        frame = next(stream)
        assert frame.all_rows == 125
        assert frame.table["devices"].to_pylist() == [8, 8]
        assert next(stream).time_ms > frame.time_ms
        stream.cancel()
        until(lambda: opened.views.watchers == 0)
        with pytest.raises(StoreError, match="view: no live view 'x'"):
            client.read_view(WatchQuery("x"))
