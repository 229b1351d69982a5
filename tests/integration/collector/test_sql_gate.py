"""The gate before a real ClickHouse: what a hostile query can do, by every door that the read-only mode leaves open."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steelyard_collector.sql.refusal import Refused
from steelyard_proto.errors import StoreError
from tests.integration.collector.cage import CANARY, Cage
from tests.integration.collector.small_store import SECRET, small_store


@pytest.fixture(scope="module")
def cage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cage")
    with small_store(folder / "store") as store:
        cage = Cage(store, folder)
        yield cage
        cage.close()


HOSTILE = [
    # writes, by statement
    "INSERT INTO devices VALUES (1)",
    "INSERT INTO FUNCTION file('OUT', 'TSV', 'a String') SELECT 'x'",
    "DROP TABLE steelyard_store.sample",
    "TRUNCATE TABLE steelyard_store.sample",
    "ALTER TABLE steelyard_store.sample DELETE WHERE 1",
    "CREATE TEMPORARY TABLE t (a Int32)",
    "CREATE FUNCTION f AS x -> x",
    "ATTACH TABLE t FROM 'OUT' (a Int32) ENGINE = File(TSV)",
    "OPTIMIZE TABLE steelyard_store.sample FINAL",
    "SELECT 1; DROP TABLE steelyard_store.sample",
    "SELECT 1;\n-- harmless\nDROP TABLE steelyard_store.sample;",
    "/* ; */ SELECT 1 /* */; DROP TABLE steelyard_store.sample --",
    "EXPLAIN SELECT 1; DROP TABLE steelyard_store.sample",
    # writes, by output
    "SELECT 'x' INTO OUTFILE 'OUT'",
    "SELECT 'x' INTO OUTFILE 'OUT' TRUNCATE FORMAT CSV",
    "SELECT 'x' INTO/**/OUTFILE 'OUT' APPEND",
    "DESCRIBE devices INTO OUTFILE 'OUT'",
    "EXISTS devices INTO OUTFILE 'OUT'",
    "EXPLAIN SELECT 1 INTO OUTFILE 'OUT'",
    "SHOW TABLES INTO OUTFILE 'OUT'",
    # files
    "SELECT file('CANARY')",
    "SELECT `file`('CANARY')",
    "SELECT \"file\" ('CANARY')",
    "SELECT /**/file/**/('CANARY')",
    "SELECT arrayMap(x -> file(x), ['CANARY'])",
    "SELECT arrayMap(file, ['CANARY'])",
    "SELECT arrayMap(`file`, ['CANARY'])",
    "WITH file AS f SELECT arrayMap(f, ['CANARY'])",
    "WITH x -> file(x) AS f SELECT f('CANARY')",
    "SELECT arrayMap(dictGet, ['steelyard_store.words'], ['word'], [1])",
    "WITH (SELECT file('CANARY')) AS c SELECT c",
    "SELECT * FROM devices WHERE node = file('CANARY')",
    "SELECT * FROM devices ORDER BY file('CANARY')",
    "SELECT * APPLY(file) FROM (SELECT 'CANARY' AS p)",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT 'CANARY' AS p)",
    "SELECT COLUMNS('p') APPLY(file) FROM (SELECT 'CANARY' AS p)",
    "SELECT * REPLACE(file('CANARY') AS p) FROM (SELECT 'x' AS p)",
    "SELECT any(file('CANARY')) OVER () FROM devices",
    "SELECT 1 LIMIT 1 BY file('CANARY')",
    "SELECT * FROM devices ORDER BY node WITH FILL INTERPOLATE (node AS file('CANARY'))",
    "SELECT * FROM devices JOIN nodes ON file('CANARY') != ''",
    "SELECT * FROM file('CANARY', 'LineAsString')",
    "SELECT * FROM (SELECT * FROM file('CANARY', 'LineAsString'))",
    "SELECT 1 WHERE 'x' IN (SELECT * FROM file('CANARY', 'LineAsString'))",
    "SELECT * FROM `file`('CANARY', 'LineAsString')",
    "DESCRIBE file('CANARY')",
    "DESCRIBE (SELECT file('CANARY'))",
    "EXPLAIN SELECT file('CANARY')",
    "SELECT * FROM (EXPLAIN SELECT file('CANARY'))",
    "SHOW TABLES WHERE name != file('CANARY')",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT file('CANARY')))",
    "SELECT * FROM fileCluster('default', 'CANARY', 'LineAsString')",
    "SELECT * FROM filesystem('/')",
    "SELECT * FROM sqlite('CANARY', 't')",
    "SELECT * FROM executable('cat CANARY', 'TSV', 'a String')",
    "SELECT * FROM python(os)",
    "SELECT * FROM icebergLocal('CANARY')",
    "SELECT structureToProtobufSchema('a String')",
    # other machines
    "SELECT * FROM url('URL', 'TSV', 'a String')",
    "DESCRIBE url('URL')",
    "DESCRIBE TABLE s3('URL')",
    "SELECT * FROM s3('URL')",
    "SELECT * FROM remote('127.0.0.1:9000', system.one)",
    "SELECT * FROM mysql('127.0.0.1:3306', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:5432', 'd', 't', 'u', 'p')",
    "SELECT hasColumnInTable('127.0.0.1', 'u', 'p', 'd', 't', 'c')",
    "SELECT aiGenerate('URL')",
    "SELECT AIEmbed('URL')",
    "SELECT reverseDNSQuery('127.0.0.1')",
    "SELECT dictGet('URL', 'a', 1)",
    # our own tables
    "SELECT * FROM steelyard_store.sample",
    "SELECT * FROM `steelyard_store`.`sample`",
    "SELECT * FROM steelyard_store . sample AS devices",
    "SELECT s.word FROM devices JOIN steelyard_store.sample AS s ON s.id = device_id",
    "SELECT 1 IN steelyard_store.sample",
    "SELECT (1, 'x') IN (steelyard_store.sample)",
    "SELECT globalNotIn(1, steelyard_store.sample)",
    "WITH steelyard_store.sample AS t SELECT 1 IN t",
    "SELECT (SELECT any(word) FROM steelyard_store.sample)",
    "SELECT * FROM merge('steelyard_store', '.*')",
    "SELECT * FROM view(SELECT * FROM steelyard_store.sample)",
    "SELECT * FROM loop(steelyard_store.sample)",
    "SELECT * FROM dictionary('steelyard_store.words')",
    "SELECT dictGet('steelyard_store.words', 'word', 1)",
    "SELECT dictGetOrDefault(steelyard_store.words, 'word', 1, '')",
    "SELECT joinGet('steelyard_store.sample', 'word', 1)",
    "SELECT * FROM mergeTreeIndex(steelyard_store, sample)",
    "DESCRIBE steelyard_store.sample",
    "EXPLAIN ESTIMATE SELECT * FROM steelyard_store.sample",
    # what ClickHouse knows about itself and others
    "SELECT * FROM system.processes",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.stack_trace",
    "SELECT * FROM system.disks",
    "SELECT * FROM system.dictionaries",
    "SELECT 1 IN system.processes",
    "SHOW PROCESSLIST",
    "SHOW GRANTS",
    # running things and their limits
    "KILL QUERY WHERE 1",
    "SYSTEM SHUTDOWN",
    "SYSTEM STOP MERGES",
    "USE system",
    "SET readonly = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT * FROM (SELECT 1 SETTINGS max_threads = 8)",
    "EXPLAIN SELECT 1 SETTINGS max_threads = 8",
    "SELECT sleep(3)",
    "SELECT sleepEachRow(3) FROM numbers(100)",
    "SELECT * FROM fuzzQuery('SELECT 1')",
    "BEGIN TRANSACTION",
    "EXECUTE AS default SELECT 1",
    "SELECT 1 FORMAT MySQLWire",
    "SELECT 1 FORMAT Template",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_no_door_is_open(cage, query):
    with pytest.raises(StoreError) as caught:
        cage.ask(query)
    assert CANARY not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert cage.is_whole()


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("SELECT * FROM {d:Identifier}.{t:Identifier}", {"d": "steelyard_store", "t": "sample"}),
        ("SELECT * FROM {t:Identifier}", {"t": "steelyard_store.sample"}),
        ("SELECT 1 IN {t:Identifier}", {"t": "steelyard_store.sample"}),
        ("SELECT {f:Identifier}('CANARY')", {"f": "file"}),
        ("SELECT {c:Identifier} FROM devices", {"c": "node FROM x; DROP TABLE y"}),
    ],
)
def test_parameters_open_no_door(cage, query, parameters):
    with pytest.raises(StoreError):
        cage.ask(query, **parameters)
    assert cage.is_whole()


def test_a_value_of_a_parameter_is_only_a_value(cage):
    hostile = "'); DROP TABLE steelyard_store.sample; --\n\t\\"
    assert cage.ask("SELECT {v:String} = unhex({h:String})", v=hostile, h=hostile.encode().hex()).strip() == "1"


def test_a_refusal_names_what_and_the_remedy(cage):
    said = []
    for query in HOSTILE:
        with pytest.raises(StoreError) as caught:
            cage.ask(query)
        if isinstance(caught.value, Refused):
            said.append(str(caught.value))
    assert len(said) > 60
    assert [
        text for text in said if not text.startswith("refused: ") or (";" not in text and ":" not in text[9:])
    ] == []


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=30))
def test_any_text_is_a_value(cage, value):
    assert cage.ask("SELECT hex({v:String})", v=value).strip() == value.encode().hex().upper()


PLAIN = [
    "SELECT count() FROM devices",
    "SELECT * FROM steelyard.devices ORDER BY busy DESC NULLS LAST LIMIT 3",
    "FROM devices SELECT node, avg(busy) GROUP BY node HAVING avg(busy) > 0.5 ORDER BY 2 LIMIT 5 OFFSET 1",
    "WITH hot AS (SELECT * FROM devices WHERE busy > 0.9) SELECT chip, count() FROM hot GROUP BY ALL ORDER BY ALL",
    "WITH (SELECT max(busy) FROM devices) AS top SELECT node FROM devices WHERE busy = top",
    "SELECT d.node, n.devices FROM devices AS d INNER JOIN nodes AS n USING (node) LIMIT 1",
    "SELECT * FROM devices AS a ASOF JOIN devices AS b ON a.node = b.node AND a.device_id >= b.device_id LIMIT 1",
    "SELECT node, rank() OVER (PARTITION BY chip ORDER BY busy DESC) AS r FROM devices QUALIFY r <= 2",
    "SELECT * EXCEPT (last_seen), COLUMNS('^b') FROM devices LIMIT 1",
    "SELECT quantiles(0.5, 0.95)(busy), countIf(busy > 0.5), uniq(node) FROM devices",
    "SELECT arrayMap(x -> x * 2, [1, 2]), map('a', 1)['a'], tuple(1, 'x').2, now() - INTERVAL 1 HOUR",
    "SELECT toStartOfInterval(last_seen, INTERVAL 10 SECOND) AS t, avg(busy) FROM devices GROUP BY t ORDER BY t",
    "SELECT number FROM numbers(5) WHERE number IN (1, 2) OR number IN (SELECT 3)",
    "SELECT * FROM generateSeries(1, 3)",
    "SELECT * FROM values('a UInt8, b String', (1, 'x'))",
    "SELECT x FROM (SELECT 1 AS x UNION ALL SELECT 2) ORDER BY x",
    "SELECT 1 EXCEPT SELECT 2",
    "SELECT if(busy IS NULL, 'absent', toString(busy)) FROM devices LIMIT 1",
    "SELECT CASE chip WHEN 'H100' THEN 1 ELSE 2 END FROM devices LIMIT 1",
    "SELECT 'a;b', '--', '/* x */' -- done",
    'SELECT `busy` AS "how busy" FROM devices LIMIT 1;',
    "DESCRIBE devices",
    "DESC TABLE steelyard.nodes",
    "EXISTS devices",
    "SHOW TABLES",
    "EXPLAIN SELECT * FROM devices",
    "EXPLAIN indexes = 1 SELECT * FROM devices",
    "EXPLAIN ESTIMATE SELECT * FROM devices",
    "SELECT version(), timezone(), currentDatabase()",
    "SELECT name, value FROM system.settings LIMIT 1",
    "SELECT name FROM system.tables WHERE database = 'steelyard'",
    "SELECT count() FROM system.columns WHERE table = 'devices'",
    "SELECT table_name FROM information_schema.tables LIMIT 1",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 4) SELECT sum(n) FROM t",
]


@pytest.mark.parametrize("query", PLAIN)
def test_plain_questions_are_answered(cage, query):
    assert cage.ask(query)


def test_names_without_a_database_are_the_public_views(cage):
    assert cage.ask("SELECT currentDatabase()") == "steelyard\n"


def test_a_query_that_never_ends_is_stopped_and_the_next_one_is_right(cage):
    with pytest.raises(StoreError, match="a query may take 3 s") as caught:
        cage.ask("SELECT sum(sipHash64(number)) FROM numbers(1000000000000)")
    assert caught.value.code == 159
    assert cage.ask("SELECT 42") == "42\n"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT groupArray(repeat(toString(number), 100)) FROM numbers(100000000)", "a query may use"),
        ("SELECT number FROM numbers(100000)", "a result may have 2000 rows"),
        ("SELECT nothing FROM devices", "DESCRIBE view"),
        ("SELECT * FROM nowhere", "SHOW TABLES"),
        ("SELEC 1", "position"),
    ],
)
def test_an_error_says_what_to_do_and_leaves_nothing_for_the_next_query(cage, query, said):
    with pytest.raises(StoreError, match=said):
        cage.ask(query)
    assert cage.ask("SELECT 42") == "42\n"


def test_deep_nesting_is_refused_and_harms_nothing(cage):
    for query in (
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "[" * 3000,
        "SELECT " + "-" * 1 + "- " * 3000 + "1",
    ):
        with pytest.raises(StoreError):
            cage.ask(query)
    assert cage.is_whole()


_WORDS = (
    "SELECT|FROM|WHERE|IN|AS|WITH|UNION ALL|JOIN|ON|INTO OUTFILE|FORMAT|SETTINGS|DESCRIBE|EXPLAIN|"
    "SHOW TABLES|INSERT INTO|DROP TABLE|KILL QUERY WHERE|SYSTEM|USE|SET|APPLY|devices|nodes|"
    "steelyard_store.sample|system.processes|steelyard_store|.|sample|word|node|file|url|merge|python|"
    r"""view|numbers|dictGet|arrayMap|(|)|[|]|'CANARY'|'OUT'|'URL'|'steelyard_store'|*|,|;|1|=|->|x|`|"|'|"""
    "--|/*|*/|\n|#|\\|LIMIT 1|CSV|readonly = 0"
)
_PIECES = st.sampled_from(_WORDS.split("|"))
_ANY = st.sampled_from(HOSTILE + PLAIN)
_SPLICED = st.tuples(_ANY, _ANY, st.integers(0, 60), st.integers(0, 60))


def _harmless(cage: Cage, query: str) -> None:
    try:
        answer = cage.ask(query)
    except StoreError as error:
        answer = str(error)
    assert CANARY not in answer
    assert SECRET not in answer


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_PIECES, min_size=1, max_size=14).map(" ".join))
def test_no_heap_of_pieces_does_harm(cage, query):
    _harmless(cage, query)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(_SPLICED)
def test_no_splice_of_known_queries_does_harm(cage, parts):
    first, second, cut, join = parts
    _harmless(cage, first[:cut] + second[join:])


def test_after_all_that_the_store_is_whole(cage):
    assert cage.is_whole()
