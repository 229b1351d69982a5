"""What a read-only ClickHouse holds, and what it leaves open: each statement at the gRPC and at the HTTP door."""

import http.client
import threading
import urllib.parse
from collections.abc import Iterator

import pytest

from steelyard_proto.errors import StoreError
from steelyard_tui.client import Client, connect
from tests.integration.collector.cage import CANARY, Cage
from tests.integration.collector.small_store import ROWS, SECRET, Doors, doors, small_store, until
from tests.integration.collector.test_sql_gate import HOSTILE

# readonly = 1 refuses these by itself; a gate that forgot one would still be noticed here.
HELD = [
    "INSERT INTO steelyard_store.sample VALUES (1, 'x')",
    "CREATE TABLE steelyard_store.mine (a Int32) ENGINE = MergeTree ORDER BY a",
    "CREATE OR REPLACE VIEW steelyard.devices AS SELECT 1",
    "DROP VIEW steelyard.devices",
    "DROP DATABASE steelyard",
    "RENAME TABLE steelyard_store.sample TO steelyard_store.gone",
    "ALTER TABLE steelyard_store.sample DROP COLUMN word",
    "ALTER TABLE steelyard_store.sample UPDATE word = '' WHERE 1",
    "DELETE FROM steelyard_store.sample WHERE 1",
    "TRUNCATE TABLE steelyard_store.sample",
    "DETACH TABLE steelyard_store.sample",
    "ATTACH TABLE steelyard_store.sample",
    "CREATE TEMPORARY TABLE t (a Int32)",
    "OPTIMIZE TABLE steelyard_store.sample FINAL",
    "select 1; drop table steelyard_store.sample",
    "SET max_execution_time = 0",
    "SET readonly = 2",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS readonly = 2",
    *(
        f"SELECT * FROM {function}"
        for function in (
            "file('CANARY', 'LineAsString')",
            "url('URL', 'LineAsString')",
            "s3('URL')",
            "remote('127.0.0.1', 'system', 'one')",
            "executable('sh', 'TSV', 'a String', 'cat CANARY')",
            "hdfs('URL')",
            "mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
            "postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
            "sqlite('CANARY', 't')",
            "redis('127.0.0.1:1', 'k', 'k String')",
            "mongodb('127.0.0.1:1', 'd', 'c', 'u', 'p', 'a String')",
            "odbc('DSN=x', 'd', 't')",
            "icebergLocal('CANARY')",
            "deltaLakeLocal('CANARY')",
            "filesystem('CANARY')",
            "view(SELECT 1)",
        )
    ),
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
    "SYSTEM SUSPEND FOR 1 SECOND",
    "SYSTEM FLUSH LOGS",
    "SYSTEM DROP MARK CACHE",
    "SYSTEM STOP MERGES steelyard_store.sample",
]
# readonly = 1 lets these through.
NOT_HELD = [
    "SELECT file('CANARY')",
    "SELECT file('/etc/passwd')",
    "SELECT 'x' INTO OUTFILE 'OUT'",
    "SELECT 'x' INTO OUTFILE 'OUT' APPEND",
    "SELECT 'x' INTO OUTFILE 'CANARY' TRUNCATE",
    "DESCRIBE TABLE url('URL')",
    "DESCRIBE TABLE s3('URL')",
    "DESCRIBE TABLE file('CANARY')",
    "KILL QUERY WHERE 1",
    "KILL MUTATION WHERE 1",
    "USE system",
    "SYSTEM STOP MERGES",
    "SELECT query FROM system.processes",
    "SELECT * FROM system.disks",
    "SELECT * FROM system.stack_trace",
    "SELECT * FROM system.parts",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM python(x)",
    "SELECT * FROM python(os)",
]


class BothDoors:
    """One statement, asked at either door."""

    def __init__(self, opened: Doors, cage: Cage, client: Client) -> None:
        self.opened, self.cage, self.client = opened, cage, client

    def grpc(self, query: str) -> str:
        """The refusal; fails where there is none."""
        with pytest.raises(StoreError) as refused:
            self.client.sql(self.cage.fill(query))
        return str(refused.value)

    def http(self, query: str, **settings: str) -> str:
        """The same, with settings in the address."""
        connection = http.client.HTTPConnection("127.0.0.1", self.opened.http.port, timeout=60)
        try:
            connection.request("POST", "/?" + urllib.parse.urlencode(settings), self.cage.fill(query).encode())
            answer = connection.getresponse()
            said = answer.read().decode()
        finally:
            connection.close()
        assert answer.status >= 400, said
        return said


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothDoors]:
    folder = tmp_path_factory.mktemp("doors")
    with small_store(folder / "store") as store:
        cage = Cage(store, folder)
        with doors(store) as opened, connect(opened.address) as client:
            yield BothDoors(opened, cage, client)
        cage.close()


@pytest.mark.parametrize("query", [*NOT_HELD, *HELD, *HOSTILE])
def test_refused_at_both_doors_in_the_same_words(both: BothDoors, query: str) -> None:
    at_grpc, at_http = both.grpc(query), both.http(query, readonly="0", max_execution_time="0")
    assert at_http.startswith("Code: ")
    assert at_grpc in at_http
    for said in (at_grpc, at_http):
        assert CANARY not in said
        assert SECRET not in said
        assert "root:" not in said
    assert both.cage.canary.read_text() == CANARY
    assert both.cage.is_whole()


def test_what_comes_in_the_address_lifts_no_limit(both: BothDoors) -> None:
    for settings in ({"readonly": "0"}, {"max_execution_time": "0"}, {"max_result_rows": "0", "limit": "0"}):
        assert "a result may have 2000 rows" in both.http("SELECT number FROM numbers(100000)", **settings)
    assert "UNKNOWN_DATABASE" in both.http("SELECT * FROM sample", database="steelyard_store")


def test_too_many_rows_are_cut_at_one_door_and_refused_at_the_other(both: BothDoors) -> None:
    query = "SELECT number FROM numbers(100000)"
    cut = both.client.sql(query)
    assert cut.truncated
    assert 0 < cut.table.num_rows < 100_000
    assert "a result may have 2000 rows" in both.http(query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT sum(sipHash64(number)) FROM numbers(1000000000000)", "a query may take 3 s"),
        ("SELECT groupArray(repeat(toString(number), 100)) FROM numbers(100000000)", "a query may use"),
    ],
)
def test_what_never_ends_is_stopped_at_both_doors(both: BothDoors, query: str, said: str) -> None:
    at_http: list[str] = []
    asking = threading.Thread(target=lambda: at_http.append(both.http(query)))
    asking.start()
    assert said in both.grpc(query)
    asking.join(60)
    assert said in at_http[0]


def test_nobody_kills_the_writer_and_use_sticks_to_nobody(both: BothDoors) -> None:
    store = both.cage.store
    slow = "INSERT INTO steelyard_store.event SELECT now64(3), toString(sleepEachRow(0.05)) FROM numbers(40)"
    writer = threading.Thread(target=store.command, args=(f"{slow} SETTINGS max_block_size = 1",))
    writer.start()
    running = "SELECT count() AS n FROM system.processes WHERE query ILIKE 'insert%'"
    until(lambda: store.query(running)["n"][0].as_py() == 1, 30)
    for query in ("KILL QUERY WHERE query ILIKE 'insert%' SYNC", "KILL QUERY WHERE user = 'default'", "USE system"):
        both.grpc(query)
        both.http(query)
    writer.join(60)
    assert store.query("SELECT count() AS n FROM steelyard_store.event")["n"][0].as_py() == 40
    assert both.client.sql("SELECT count() AS n FROM devices").table["n"].to_pylist() == [ROWS]
