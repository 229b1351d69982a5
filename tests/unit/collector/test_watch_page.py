"""Filters, orders and pages of live views."""

import io

import pyarrow as pa
import pytest

from steelyard_collector.live.filter import BadRequest, apply_filter, parse_filter
from steelyard_collector.live.page import MAX_ROWS, cut, page_of, period_s
from steelyard_proto.v1 import query_pb2

TABLE = pa.table(
    {
        "node": ["n1", "n2", "n10", None],
        "chip": ["H100", "910B", "h20", "910B"],
        "jobs": [["a", "b"], [], ["ab"], None],
        "busy": pa.array([0.5, None, 0.1, float("nan")]),
        "devices": pa.array([8, 4, 2, 1], pa.uint32()),
        "seen": pa.array([1, 2, 3, 4], pa.timestamp("ms", "UTC")),
    }
)


def passing(text):
    return apply_filter(TABLE, parse_filter(text))["devices"].to_pylist()


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("", [8, 4, 2, 1]),
        ("910b", [4, 1]),
        ("n1", [8, 2]),
        ("H", [8, 2]),
        ("chip:h", [8, 2]),
        ("chip=h20", [2]),
        ("node=n1", [8]),
        ("node!=n1", [4, 2]),
        ("jobs:a", [8, 2]),
        ("jobs=a", [8]),
        ("jobs!=a", [4, 2]),
        ("busy<0.2", [2]),
        ("busy>=0.1", [8, 2]),
        ("devices!=8 devices<4", [2, 1]),
        ("910b devices>1", [4]),
        ("nothing", []),
        ("node:n1,", []),
        ("chip:.*", []),
    ],
)
def test_filter(text, devices):
    assert passing(text) == devices


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nope<1", "no column 'nope'"),
        ("busy<much", "'much' is no number"),
        ("chip<H100", "chip is text"),
        ("seen<3", "can't be compared"),
        (" ".join(["x"] * 40), "40 terms"),
    ],
)
def test_a_wrong_filter_says_what_is_wrong(text, said):
    with pytest.raises(BadRequest, match=f"filter: .*{said}"):
        passing(text)


def rows(**asked):
    page = page_of(query_pb2.WatchRequest(view="devices", **asked), TABLE.schema)
    done = cut(TABLE, page)
    return done, pa.ipc.open_stream(io.BytesIO(done.arrow_ipc)).read_all()


def test_a_page_says_how_much_there_is():
    done, table = rows(filter="910B", limit=1, columns=["node", "chip"])
    assert (done.total_rows, done.all_rows) == (2, 4)
    assert table.to_pylist() == [{"node": "n2", "chip": "910B"}]


@pytest.mark.parametrize(
    ("order", "descending", "devices"),
    [
        ("devices", False, [1, 2, 4, 8]),
        ("devices", True, [8, 4, 2, 1]),
        ("busy", False, [2, 8, 4, 1]),
        ("busy", True, [8, 2, 4, 1]),
        ("node", False, [8, 2, 4, 1]),
        ("jobs", True, [2, 8, 4, 1]),
        ("seen", True, [1, 2, 4, 8]),
    ],
)
def test_order_puts_the_absent_last(order, descending, devices):
    assert rows(order=order, descending=descending)[1]["devices"].to_pylist() == devices


def test_offset_and_limit_cut_after_the_order():
    assert rows(order="devices", offset=1, limit=2)[1]["devices"].to_pylist() == [2, 4]


def test_an_offset_past_the_end_gives_no_rows():
    done, table = rows(offset=10)
    assert (done.total_rows, table.num_rows) == (4, 0)


def test_a_column_that_is_named_twice_comes_once():
    assert rows(columns=["node", "node"])[1].column_names == ["node"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"columns": ["power"]}, "columns: no column 'power'"),
        ({"order": "power"}, "order: no column 'power'"),
        ({"filter": "power>1"}, "filter: no column 'power'"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(asked, said):
    with pytest.raises(BadRequest, match=f"{said} in devices; the columns are busy, chip"):
        rows(**asked)


def test_a_column_without_an_order_is_refused_at_once():
    schema = pa.schema([("id", pa.int32()), ("extra", pa.map_(pa.int16(), pa.float32()))])
    with pytest.raises(BadRequest, match="order"):
        page_of(query_pb2.WatchRequest(view="devices", order="extra"), schema)


def test_a_page_needs_the_columns_that_it_is_made_of():
    request = query_pb2.WatchRequest(view="devices", columns=["node"], filter="busy<1", order="devices")
    assert page_of(request, TABLE.schema).needs(TABLE.schema) == {"node", "busy", "devices"}
    word = query_pb2.WatchRequest(view="devices", columns=["busy"], filter="910b")
    assert page_of(word, TABLE.schema).needs(TABLE.schema) == {"busy", "node", "chip", "jobs"}


def test_limits_and_periods_are_bounded():
    assert page_of(query_pb2.WatchRequest(view="devices", limit=1 << 60), TABLE.schema).limit == MAX_ROWS
    assert [period_s(query_pb2.WatchRequest(period_ms=ms)) for ms in (0, 1, 5000, 1 << 31)] == [1.0, 0.2, 5.0, 60.0]
