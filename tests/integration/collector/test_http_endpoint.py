"""The ClickHouse HTTP endpoint: unmodified clickhouse-connect, plain requests, and hostile ones."""

import gzip
import http.client
import json
import socket
import urllib.parse
from datetime import UTC, datetime

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from steelyard_collector.access.tokens import Denial
from tests.integration.collector.small_store import LIMITS, doors, small_store, until
from tests.integration.collector.test_sql_gate import PLAIN

ENDLESS = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with small_store(tmp_path_factory.mktemp("http") / "store") as store:
        yield store


@pytest.fixture(scope="module")
def opened(store):
    with doors(store) as opened:
        yield opened


def ask(opened, method="GET", target="/", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", opened.http.port, timeout=20)
    try:
        connection.request(
            method, target, body=body, headers={key.replace("_", "-"): value for key, value in headers.items()}
        )
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def url(query, **values):
    return "/?" + urllib.parse.urlencode({"query": query} | values)


@pytest.fixture
def client(opened):
    client = clickhouse_connect.get_client(host="127.0.0.1", port=opened.http.port)
    yield client
    client.close()


def test_clickhouse_connect_reads_rows(client):
    result = client.query("SELECT node, busy, job, last_seen FROM devices ORDER BY device_id LIMIT 7")
    assert result.column_names == ("node", "busy", "job", "last_seen")
    assert result.result_rows[0][:3] == ("n0", None, "llama")
    assert result.result_rows[6][2] is None


def test_clickhouse_connect_binds_parameters(client):
    values = {"text": "a'\\n\t\nb", "at": datetime(2026, 1, 2, tzinfo=UTC), "many": [1, 2]}
    sql = "SELECT {text:String}, {at:DateTime('UTC')}, {many:Array(Int32)}"
    assert client.query(sql, parameters=values).result_rows == [(values["text"], datetime(2026, 1, 2), [1, 2])]


def test_clickhouse_connect_reads_arrow_and_streams(client):
    assert client.query_arrow("SELECT * FROM devices LIMIT 5").num_rows == 5
    with client.query_row_block_stream("SELECT number FROM numbers(1000)") as blocks:
        assert sum(len(block) for block in blocks) == 1000


@pytest.mark.parametrize(
    "statement", ["DROP TABLE steelyard.devices", "SELECT 1 SETTINGS readonly = 0", "SET readonly = 0"]
)
def test_clickhouse_connect_is_told_why_not(client, statement):
    with pytest.raises(DatabaseError, match=r"code: (497|164)"):
        client.command(statement)


def test_clickhouse_connect_can_not_insert(client):
    with pytest.raises(DatabaseError):
        client.insert("devices", [[1]], column_names=["device_id"])


@pytest.mark.parametrize("query", [query for query in PLAIN if not query.rstrip().endswith((";", "done"))])
def test_plain_questions_are_answered(opened, query):
    status, _, body = ask(opened, "POST", "/", query)
    assert (status, body[:6]) != (200, b"")
    assert status == 200


def test_a_get_is_answered_in_tabs(opened):
    status, headers, body = ask(opened, "GET", url("SELECT 1, 'x'"))
    assert (status, body) == (200, b"1\tx\n")
    assert headers["X-ClickHouse-Format"] == "TabSeparated"
    assert headers["X-ClickHouse-Timezone"] == "UTC"


def test_formats_are_the_querys_then_the_urls_then_tabs(opened):
    _, _, body = ask(opened, "POST", "/?default_format=CSV", "SELECT 1 AS a, 'x' AS b FORMAT JSON")
    assert json.loads(body)["data"] == [{"a": 1, "b": "x"}]
    assert ask(opened, "POST", "/?default_format=CSVWithNames", "SELECT 1 AS a")[2] == b'"a"\n1\n'
    assert ask(opened, "POST", "/", "SELECT 1", X_ClickHouse_Format="JSONEachRow")[2] == b'{"1":1}\n'


def test_parameters_come_in_the_url(opened):
    target = url("SELECT {a:String}, {b:UInt8} + 1", param_a="it's", param_b="4")
    assert ask(opened, "GET", target)[2] == b"it\\'s\t5\n"


def test_settings_are_named_as_ignored(opened):
    status, headers, body = ask(opened, "GET", url("SELECT getSetting('readonly')", readonly="0", max_threads="64"))
    assert (status, body) == (200, b"1\n")
    assert headers["X-Steelyard-Ignored-Settings"] == "max_threads,readonly"


def test_gzip_both_ways(opened):
    status, headers, body = ask(
        opened,
        "POST",
        "/?enable_http_compression=1",
        gzip.compress(b"SELECT repeat('x', 1000)"),
        Content_Encoding="gzip",
        Accept_Encoding="gzip",
    )
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == b"x" * 1000 + b"\n"


def test_a_body_in_chunks(opened):
    assert ask(opened, "POST", "/", iter([b"SELECT ", b"1"]))[2] == b"1\n"


@pytest.mark.parametrize("target", ["/", "/ping", "/replicas_status"])
def test_signs_of_life(opened, target):
    assert ask(opened, "GET", target)[2] == b"Ok.\n"
    assert ask(opened, "HEAD", target)[0] == 200


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/nowhere", 404, "0"),
        (url("SELECT 1", database="system"), 404, "81"),
        (url("SELECT 1", compress="1"), 403, "497"),
        (url("SELEC 1"), 400, "62"),
        (url("SELECT * FROM nothing"), 404, "60"),
        (url("SELECT number FROM numbers(100000)"), 422, "396"),
        (url(ENDLESS), 422, "159"),
    ],
)
def test_errors_have_clickhouses_code(opened, target, status, code):
    got, headers, body = ask(opened, "GET", target)
    assert (got, headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())


def test_one_connection_serves_many_queries(opened):
    connection = http.client.HTTPConnection("127.0.0.1", opened.http.port, timeout=20)
    for number in range(5):
        connection.request("POST", "/", body=f"SELECT {number}")
        assert connection.getresponse().read() == f"{number}\n".encode()
    connection.close()


def test_a_client_that_is_gone_stops_its_query(opened):
    connection = socket.create_connection(("127.0.0.1", opened.http.port))
    connection.sendall(
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(ENDLESS)}\r\n\r\n{ENDLESS}".encode()
    )
    until(lambda: opened.pool.running == 1)
    connection.close()
    until(lambda: opened.pool.running == 0, seconds=2.0)


def test_too_many_queries_are_told_to_come_back(opened):
    connections = [socket.create_connection(("127.0.0.1", opened.http.port)) for _ in range(LIMITS.running)]
    for connection in connections:
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(ENDLESS)}\r\n\r\n{ENDLESS}".encode()
        )
    until(lambda: opened.pool.running == LIMITS.running)
    status, headers, body = ask(opened, "POST", "/", "SELECT 1")
    assert (status, headers["X-ClickHouse-Exception-Code"], headers["Retry-After"]) == (503, "202", "1")
    assert b"queries run already" in body
    for connection in connections:
        connection.close()
    until(lambda: opened.pool.running == 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"X" * 1000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    ],
)
def test_broken_requests_end_their_own_connection_only(opened, raw):
    with socket.create_connection(("127.0.0.1", opened.http.port), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert ask(opened, "GET", "/ping")[0] == 200


def test_a_page_of_another_name_gets_no_answer_on_loopback(opened):
    assert ask(opened, "GET", url("SELECT 1"), Host="evil.example:8471")[0] == 403
    assert ask(opened, "GET", url("SELECT 1"), Host="localhost:8471")[0] == 200


def test_the_token_comes_as_a_password(store):
    def authorize(token):
        return None if token == "s3cret" else Denial("the token is not known here; ask for a viewer's")

    with doors(store, authorize) as opened:
        status, headers, body = ask(opened, "GET", url("SELECT 1"))
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (401, "516")
        assert b"ask for a viewer's" in body
        assert ask(opened, "GET", url("SELECT 1"), Authorization="Bearer s3cret")[0] == 200
        assert ask(opened, "GET", "/ping")[0] == 200
        client = clickhouse_connect.get_client(host="127.0.0.1", port=opened.http.port, username="x", password="s3cret")
        assert client.command("SELECT 7") == 7
        client.close()
