"""Query.Sql through gRPC, asked by the terminal program's own client."""

import contextlib
import threading
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from steelyard_collector.access.tokens import Denial
from steelyard_collector.sql.pool import ReaderPool
from steelyard_collector.sql.run import QueryRun
from steelyard_proto.errors import StoreError, TransportError
from steelyard_proto.v1 import query_pb2, query_pb2_grpc
from steelyard_tui.client import Cancelled, connect
from tests.integration.collector.small_store import LIMITS, doors, small_store, until

ENDLESS = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
# A query's own end is so far away that only what is tested can stop it.
LONG = replace(LIMITS, read=replace(LIMITS.read, seconds=600))
PATIENT = replace(LONG, wait_s=60)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with small_store(tmp_path_factory.mktemp("sql") / "store") as store:
        yield store


@pytest.fixture(scope="module")
def opened(store):
    with doors(store) as opened:
        yield opened


@pytest.fixture
def client(opened):
    with connect(opened.address) as client:
        yield client


@pytest.fixture
def asked_long(store, request):
    """Doors whose queries may take long, and a client."""
    with doors(store, limits=request.param) as opened, connect(opened.address) as client:
        yield opened, client


def test_rows_come_typed(client):
    table = client.sql("SELECT node, busy, job, last_seen FROM devices ORDER BY device_id LIMIT 8").table
    assert table["node"].to_pylist() == ["n0"] * 8
    assert table["busy"].to_pylist()[0] is None
    assert table["job"].to_pylist()[6] is None
    assert str(table.schema.field("last_seen").type) == "timestamp[ms, tz=UTC]"


def test_no_rows_still_have_columns(client):
    table = client.sql("SELECT node, busy FROM devices WHERE 0").table
    assert (table.column_names, table.num_rows) == (["node", "busy"], 0)


def test_parameters_are_bound_by_clickhouse(client):
    sql = "SELECT count() AS n FROM devices WHERE chip = {chip:String} AND device_id < {most:UInt32}"
    assert client.sql(sql, {"chip": "H100", "most": "30", "unused": "x"}).table["n"].to_pylist() == [10]


def test_a_result_is_cut_at_the_rows_that_are_asked_for(client):
    result = client.sql("SELECT number FROM numbers(100)", max_rows=7)
    assert (result.table["number"].to_pylist(), result.truncated) == (list(range(7)), True)
    assert client.sql("SELECT number FROM numbers(7)", max_rows=7).truncated is False


def test_a_result_is_cut_at_the_collectors_limit(client):
    result = client.sql("SELECT number FROM numbers(100000)", max_rows=50_000)
    assert (result.table.num_rows, result.truncated) == (LIMITS.read.result_rows, True)


def test_exactly_the_limit_is_not_cut(client):
    result = client.sql(f"SELECT number FROM numbers({LIMITS.read.result_rows})")
    assert (result.table.num_rows, result.truncated) == (LIMITS.read.result_rows, False)


def test_a_wide_result_comes_in_pieces(opened):
    with grpc.insecure_channel(opened.address) as channel:
        request = query_pb2.SqlRequest(query="SELECT repeat('x', 1000) AS wide FROM numbers(2000)")
        replies = list(query_pb2_grpc.QueryStub(channel).Sql(request))
    assert len(replies) > 5
    assert max(len(reply.arrow_ipc) for reply in replies) <= 256 * 1024


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("DROP TABLE steelyard_store.sample", grpc.StatusCode.INVALID_ARGUMENT, "Drop is no plain query"),
        ("SELECT * FROM steelyard_store.sample", grpc.StatusCode.INVALID_ARGUMENT, "not open"),
        ("SELECT nothing FROM devices", grpc.StatusCode.INVALID_ARGUMENT, "Unknown expression identifier `nothing`"),
        ("SELEC 1", grpc.StatusCode.INVALID_ARGUMENT, "failed at position 7"),
        ("", grpc.StatusCode.INVALID_ARGUMENT, "empty"),
        (ENDLESS, grpc.StatusCode.RESOURCE_EXHAUSTED, "a query may take 3 s"),
    ],
)
def test_an_error_has_a_status_a_code_and_a_remedy(opened, query, status, said):
    with grpc.insecure_channel(opened.address) as channel:
        call = query_pb2_grpc.QueryStub(channel).Sql(query_pb2.SqlRequest(query=query))
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
    assert caught.value.code() is status
    assert said in caught.value.details()
    assert int(dict(caught.value.trailing_metadata())["steelyard-code"]) > 0


@pytest.mark.parametrize("asked_long", [LONG], indirect=True, ids=["long"])
def test_cancelling_stops_the_query_and_gives_its_place_back(asked_long):
    opened, client = asked_long
    call = client.start_sql(ENDLESS)
    until(lambda: opened.pool.running == 1)
    call.cancel()
    until(lambda: opened.pool.running == 0)
    with pytest.raises(Cancelled):
        call.result()
    assert client.sql("SELECT 42 AS x").table["x"].to_pylist() == [42]


@pytest.mark.parametrize("asked_long", [LONG], indirect=True, ids=["long"])
def test_a_client_that_is_gone_stops_its_query(asked_long):
    opened, _ = asked_long
    client = connect(opened.address)
    call = client.start_sql(ENDLESS)
    until(lambda: opened.pool.running == 1)
    client.close()
    until(lambda: opened.pool.running == 0)
    with pytest.raises((Cancelled, TransportError)):
        call.result()


@pytest.mark.parametrize("asked_long", [LONG], indirect=True, ids=["long"])
def test_too_many_queries_are_refused_with_what_to_do(asked_long):
    opened, client = asked_long
    calls = [client.start_sql(ENDLESS) for _ in range(LIMITS.running)]
    until(lambda: opened.pool.running == LIMITS.running)
    with pytest.raises(StoreError, match="2 queries run already and none ended within") as caught:
        client.sql("SELECT 1")
    assert caught.value.name == "RESOURCE_EXHAUSTED"
    for call in calls:
        call.cancel()
    until(lambda: opened.pool.running == 0)
    assert client.sql("SELECT 1").table.num_rows == 1


@pytest.mark.parametrize("asked_long", [PATIENT], indirect=True, ids=["patient"])
def test_more_than_may_wait_are_refused_at_once(asked_long):
    opened, client = asked_long
    calls = [client.start_sql(ENDLESS) for _ in range(LIMITS.running + LIMITS.waiting)]
    until(lambda: (opened.pool.running, opened.pool.waiting) == (LIMITS.running, LIMITS.waiting))
    with pytest.raises(StoreError, match=r"wait or send already|more wait"):
        client.sql("SELECT 1")
    for call in calls:
        call.cancel()
    until(lambda: opened.pool.running == 0)


def test_inserts_go_on_while_people_ask(opened, store, client):
    call = client.start_sql(ENDLESS)
    until(lambda: opened.pool.running == 1)
    for number in range(5):
        store.command(f"INSERT INTO steelyard_store.event SELECT now64(3), 'row {number}'")
    assert store.query("SELECT count() AS n FROM steelyard_store.event")["n"].to_pylist() == [5]
    call.cancel()
    until(lambda: opened.pool.running == 0)


def niceness() -> list[int]:
    """Of every thread of this process that is not above the rest."""
    values = []
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            values.append(int((thread / "stat").read_text().rpartition(")")[2].split()[16]))
    return [value for value in values if value >= 0]


def may_be_nice() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(effective.split()[1], 16) >> 23 & 1)


@pytest.mark.skipif(not may_be_nice(), reason="the process may not change its threads' niceness back")
def test_a_query_runs_below_everything_else_and_leaves_no_thread_there(opened, client):
    call = client.start_sql(ENDLESS)
    until(lambda: 10 in niceness())
    call.cancel()
    until(lambda: opened.pool.running == 0)
    until(lambda: 10 not in niceness())


def test_without_the_right_token_nothing_is_answered(store):
    def authorize(token):
        return None if token == "s3cret" else Denial("the token is not known here; ask for a viewer's")

    with doors(store, authorize) as opened:
        with connect(opened.address, token="wrong") as stranger, pytest.raises(TransportError, match="refuses access"):
            stranger.sql("SELECT 1")
        with connect(opened.address, token="s3cret") as viewer:
            assert viewer.sql("SELECT 1").table.num_rows == 1


def test_a_query_that_is_cancelled_before_it_starts_does_not_start(store):
    pool = ReaderPool(store, LIMITS)
    run = QueryRun(pool)
    run.cancel()
    with pytest.raises(StoreError, match="cancelled"):
        run.table(ENDLESS, {})
    pool.close()


class Ranked:
    """A store that notes how far back its readers stand."""

    stands_back = True

    def __init__(self, store):
        self._store = store
        self.ranks = []

    def reader(self, limits):
        self.ranks.append(limits.nice)
        return self._store.reader(limits)


def test_a_query_that_takes_long_begins_anew_behind_ingest(store):
    ranked = Ranked(store)
    pool = ReaderPool(ranked, replace(LONG, front_s=0.2))
    try:
        assert QueryRun(pool).table("SELECT 1 AS one", {}).to_pylist() == [{"one": 1}]
        assert ranked.ranks == [0]
        slow = "SELECT count() AS n FROM numbers(200000000) WHERE NOT ignore(sipHash64(number))"
        assert QueryRun(pool).table(slow, {}).to_pylist() == [{"n": 200_000_000}]
        assert ranked.ranks == [0, LIMITS.read.nice]
        with pytest.raises(StoreError, match="Unknown"):
            QueryRun(pool).table("SELECT nothing", {})
        assert ranked.ranks[2:] == [0], "only what took long is tried again"
    finally:
        pool.close()


def test_a_pool_that_is_closed_says_so_to_those_who_wait(store):
    pool = ReaderPool(store, PATIENT)
    said = []

    def ask():
        try:
            QueryRun(pool).table("SELECT 1", {})
        except StoreError as error:
            said.append(error.name)

    with pool.lend(pool.cut), pool.lend(pool.cut):
        waiter = threading.Thread(target=ask)
        waiter.start()
        until(lambda: pool.waiting == 1)
        closer = threading.Thread(target=pool.close)
        closer.start()
        waiter.join(60)
    closer.join(60)
    assert said == ["SHUTTING_DOWN"]


def test_closing_stops_the_queries_that_run(store):
    pool = ReaderPool(store, LONG)
    said = []

    def ask():
        try:
            QueryRun(pool).table(ENDLESS, {})
        except StoreError as error:
            said.append(error.name)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: pool.running == 1)
    pool.close()
    thread.join(30)
    assert said == ["QUERY_WAS_CANCELLED"]
