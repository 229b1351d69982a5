"""Random, truncated, oversized and hostile messages to the Query service: a clear refusal, no crash, no growth."""

import resource

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steelyard_proto.v1 import query_pb2
from steelyard_tui.client import connect
from tests.integration.collector.small_store import doors, small_store, until

EXAMPLES = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
# What a refusal may look like; UNKNOWN would be an exception that nobody expected.
CLEAR = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNIMPLEMENTED,
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with small_store(tmp_path_factory.mktemp("hostile") / "store") as store, doors(store) as opened:
        yield opened


@pytest.fixture(scope="module")
def channel(opened):
    with grpc.insecure_channel(opened.address) as channel:
        yield channel


def first_of(channel, method, data):
    """The first reply, if there is one; a refusal must be a clear one."""
    refusals = []
    call = channel.unary_stream(f"/steelyard.v1.Query/{method}")(data, timeout=10)
    try:
        next(iter(call), None)
    except grpc.RpcError as error:
        refusals.append((error.code(), error.details()))
    call.cancel()
    assert [(code, text) for code, text in refusals if code not in CLEAR or not text] == []


@EXAMPLES
@given(st.sampled_from(["Sql", "Watch"]), st.binary(max_size=200))
def test_random_bytes(channel, method, data):
    first_of(channel, method, data)


NUMBERS = st.integers(0, 2**64 - 1)
WATCHES = st.builds(
    query_pb2.WatchRequest,
    view=st.sampled_from(["devices", "nodes", "events", "jobs", "", "x"]),
    columns=st.lists(st.sampled_from(["node", "busy", "chip", "chips", "nope", "`"]), max_size=4),
    filter=st.text(alphabet="nodebusychip:=!<>0.1 '\"%\\(*", max_size=25),
    order=st.sampled_from(["", "busy", "chips", "last_seen", "nope", "busy DESC"]),
    descending=st.booleans(),
    limit=NUMBERS,
    offset=NUMBERS,
    period_ms=st.integers(0, 2**32 - 1),
)


@EXAMPLES
@given(WATCHES, st.integers(0, 60))
def test_watch_requests_whole_and_truncated(channel, request_, cut):
    data = request_.SerializeToString()
    first_of(channel, "Watch", data)
    first_of(channel, "Watch", data[:cut])


SQLS = st.builds(
    query_pb2.SqlRequest,
    query=st.text(max_size=40)
    | st.sampled_from(["SELECT {a:String}", "SELECT {a:UInt8}", "SELECT {a:Array(Date)}", "SELECT 1"]),
    parameters=st.dictionaries(st.sampled_from(["a", "b", "$a$", "param_a", ""]), st.text(max_size=20), max_size=3),
    max_rows=NUMBERS,
)


@EXAMPLES
@given(SQLS, st.integers(0, 60))
def test_sql_requests_whole_and_truncated(channel, request_, cut):
    data = request_.SerializeToString()
    first_of(channel, "Sql", data)
    first_of(channel, "Sql", data[:cut])


def test_messages_that_are_too_long(channel):
    for method in ("Sql", "Watch"):
        first_of(channel, method, query_pb2.SqlRequest(query="SELECT 1 -- " + "x" * (8 << 20)).SerializeToString())


def test_afterwards_all_is_as_before(opened):
    until(lambda: opened.views.watchers == 0 and opened.pool.running == 0)
    with connect(opened.address) as client:
        assert client.sql("SELECT 42 AS x").table["x"].to_pylist() == [42]
    # The engine alone takes half a gigabyte; a leak of these thousands of messages would show above it.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_500_000
