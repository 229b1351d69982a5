"""Requests to the ClickHouse HTTP endpoint, without a socket."""

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_collector.sql.http_request import MAX_BODY_BYTES, read_query, read_token
from steelyard_collector.sql.refusal import Refused
from steelyard_proto.errors import StoreError


def test_the_url_comes_before_the_body():
    assert read_query("/?query=SELECT+1,", {}, b"2").query == "SELECT 1,\n2"
    assert read_query("/?query=SELECT%201", {}, b"").query == "SELECT 1"
    assert read_query("/", {}, b"SELECT 1").query == "SELECT 1"


def test_parameters_lose_the_escapes_of_tsv():
    query = read_query("/?param_a=x%5Cty%5C%5Cn&param_b=", {}, b"")
    assert dict(query.parameters) == {"a": "x\ty\\n", "b": ""}


def test_settings_have_no_effect_and_are_named():
    query = read_query("/?readonly=0&max_execution_time=9999&session_id=x&query_id=q7", {}, b"SELECT 1")
    assert query.ignored == ("max_execution_time", "readonly")
    assert query.query_id == "q7"


@pytest.mark.parametrize("database", ["system", "steelyard_store", "STEELYARD"])
def test_another_database_is_not_here(database):
    with pytest.raises(StoreError, match=database) as caught:
        read_query(f"/?database={database}", {}, b"SELECT 1")
    assert caught.value.code == 81


def test_the_default_format_can_be_chosen():
    assert read_query("/?default_format=JSON", {}, b"").default_format == "JSON"
    assert read_query("/", {"x-clickhouse-format": "CSV"}, b"").default_format == "CSV"
    assert read_query("/", {}, b"").default_format == "TabSeparated"


def test_gzip_only_if_it_is_asked_for_and_understood():
    asked = {"accept-encoding": "lz4, gzip"}
    assert read_query("/?enable_http_compression=1", asked, b"").gzip
    assert not read_query("/", asked, b"").gzip
    assert not read_query("/?enable_http_compression=1", {}, b"").gzip


def test_a_body_may_be_gzip():
    assert read_query("/", {"content-encoding": "gzip"}, gzip.compress(b"SELECT 1")).query == "SELECT 1"


def test_a_body_that_unpacks_to_very_much_is_refused():
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES * 20))
    with pytest.raises(Refused, match="unpacks"):
        read_query("/", {"content-encoding": "gzip"}, bomb)


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        ("/?compress=1", {}, b"x"),
        ("/?decompress=1", {}, b"x"),
        ("/", {"content-encoding": "br"}, b"x"),
        ("/", {"content-encoding": "gzip"}, b"x"),
        ("/", {"content-type": "multipart/form-data; boundary=x"}, b"x"),
        ("/", {}, b"\xff\xfe"),
    ],
)
def test_what_is_not_offered_is_refused(target, headers, body):
    with pytest.raises(StoreError):
        read_query(target, headers, body)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/", {"authorization": "Bearer s3cret"}),
        ("/", {"authorization": "Basic " + base64.b64encode(b"anyone:s3cret").decode()}),
        ("/", {"x-clickhouse-user": "anyone", "x-clickhouse-key": "s3cret"}),
        ("/?user=anyone&password=s3cret", {}),
    ],
)
def test_a_token_comes_as_clients_send_passwords(target, headers):
    assert read_token(target, headers) == "s3cret"


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic /w==", "Digest x", "Bearer"])
def test_no_token_is_no_token(header):
    assert read_token("/", {"authorization": header} if header else {}) == ""


@given(st.text(max_size=60), st.binary(max_size=60), st.sampled_from(["", "gzip", "identity", "x"]))
def test_a_hostile_request_is_read_or_refused(target, body, encoding):
    try:
        query = read_query("/?" + target, {"content-encoding": encoding}, body)
    except (StoreError, ValueError):
        return
    assert isinstance(query.query, str)
