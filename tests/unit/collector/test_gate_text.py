"""The gate as far as it reads text: tokens, statements, SHOW, and the tree that ClickHouse prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_collector.sql.gate import admit
from steelyard_collector.sql.lexer import MAX_QUERY_BYTES, parse_statement
from steelyard_collector.sql.refusal import Refused
from steelyard_collector.sql.rules import denied_function
from steelyard_collector.sql.tree import read_tree
from steelyard_proto.errors import StoreError

ONE = """\
SelectWithUnionQuery (children 2)
 ExpressionList (children 1)
  SelectQuery (children 1)
   Literal UInt64_1
 Identifier TSVRaw
"""


def printed(tree):
    return lambda text, parameters: tree


def test_comments_format_and_a_last_semicolon_are_taken_off():
    statement = parse_statement("SELECT 1 /* a; b */ -- c;\n, 'x;--' # d\nFORMAT CSV ;  ")
    assert statement.text.split() == ["SELECT", "1", ",", "'x;--'"]
    assert statement.format_name == "CSV"


@pytest.mark.parametrize(
    "query",
    ["", "  ", ";", "-- only a comment", "SELECT 1; DROP TABLE t", "SELECT 1;;", ";SELECT 1", "SELECT 1;\nSELECT 2;"],
)
def test_anything_but_one_statement_is_refused(query):
    with pytest.raises(Refused):
        parse_statement(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'open",
        "SELECT `open",
        'SELECT "a\\"; DROP TABLE t --"',
        "SELECT `a\\`; x`",
        "SELECT `a\nb`",
        "SELECT /* open",
        "SELECT $$a;b$$",
        "SELECT $t$;$t$",
        "SELECT 1 \\G DROP TABLE t",
        "SELECT ‘1; x’",
        "SELECT 1\x00; DROP TABLE t",
        "SELECT x'41\\'; DROP TABLE t --'",
        "SELECT 1 #no comment to ClickHouse; DROP",
        "SELECT таблица",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(query):
    with pytest.raises(Refused):
        parse_statement(query)


@pytest.mark.parametrize("query", ["SELECT 'it''s; fine'", r"SELECT 'it\'s; fine'", 'SELECT "a""b"', "SELECT x'41'"])
def test_quotes_are_read_as_clickhouse_reads_them(query):
    assert parse_statement(query).text == query


def test_text_in_any_language_stands_in_quotes():
    assert "昇腾" in parse_statement("SELECT '昇腾'").text


def test_a_query_that_is_too_long_is_refused():
    with pytest.raises(Refused, match="longer"):
        parse_statement("SELECT '" + "x" * MAX_QUERY_BYTES + "'")


@given(st.text(max_size=80))
def test_the_lexer_either_refuses_or_keeps_no_second_statement(text):
    try:
        statement = parse_statement(text)
    except Refused:
        return
    assert not [token for token in statement.tokens if token.kind == "sign" and token.text == ";"]


@given(st.text(alphabet="'\"`\\/*-#; \nxX19ab;$", max_size=40))
def test_what_is_kept_reads_the_same_again(text):
    try:
        statement = parse_statement(text)
    except Refused:
        return
    again = parse_statement(statement.text)
    assert again.text == statement.text or again.format_name


@pytest.mark.parametrize(
    "query",
    [
        "SHOW TABLES",
        "show tables from steelyard like '%a%'",
        "SHOW DATABASES",
        "SHOW FULL COLUMNS FROM devices",
        "SHOW COLUMNS FROM `steelyard`.devices LIKE 'b%'",
        "SHOW FUNCTIONS ILIKE '%time%'",
    ],
)
def test_show_is_admitted_without_asking_for_a_tree(query):
    assert admit(query, {}, printed("never read")).text == query


@pytest.mark.parametrize(
    "query",
    [
        "SHOW TABLES WHERE file('/etc/passwd') != ''",
        "SHOW TABLES LIKE 'a' WHERE 1 IN steelyard_store.t",
        "SHOW TABLES INTO OUTFILE '/tmp/x'",
        "SHOW TABLES SETTINGS max_threads = 1",
        "SHOW CREATE TABLE devices",
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "SHOW TABLES LIMIT (SELECT 1)",
    ],
)
def test_show_with_what_the_tree_would_hide_is_refused(query):
    with pytest.raises(Refused):
        admit(query, {}, printed(ONE))


@pytest.mark.parametrize(
    "tree",
    [
        "",
        ONE + ONE,
        ONE.replace("(children 2)", "(children 3)", 1),
        ONE.replace("(children 2)", "(children 1)", 1),
        ONE.replace("  SelectQuery", "    SelectQuery"),
        ONE.replace(" Identifier TSVRaw\n", ""),
        "Set\n",
        "UseQuery system (children 1)\n Identifier system\n",
        ONE.replace("Literal UInt64_1", "NodeOfTomorrow"),
        ONE.replace("Literal UInt64_1", "ColumnsApplyTransformer"),
        ONE.replace("Literal UInt64_1", "Set"),
        ONE.replace("Literal UInt64_1", "TableIdentifier steelyard_store.raw_device (alias steelyard.devices)"),
        ONE.replace("Literal UInt64_1", "Function file"),
    ],
)
def test_a_tree_that_is_not_known_to_be_harmless_is_refused(tree):
    with pytest.raises(Refused):
        admit("SELECT 1", {}, printed(tree))


def test_the_tree_of_a_plain_select_passes():
    assert admit("SELECT 1 FORMAT JSON", {}, printed(ONE)).format_name == "JSON"


@given(st.text(alphabet="() \n123abSet(children", max_size=60))
def test_a_forged_tree_is_refused_or_counted_right(text):
    try:
        root = read_tree(text)
    except Refused:
        return
    assert all(len(node.children) == node.count for node, _ in root.walk())


def test_a_format_that_needs_files_or_a_wire_is_refused():
    with pytest.raises(Refused, match="MySQLWire"):
        admit("SELECT 1 FORMAT MySQLWire", {}, printed(ONE))


def test_parameters_are_bound_only_where_they_are_named():
    admitted = admit("SELECT {a:String}, '{b:String}'", {"a": "1", "b": "2", "c": "3"}, printed(ONE))
    assert dict(admitted.parameters) == {"a": "1"}


def test_a_parameter_without_a_value_is_named():
    with pytest.raises(Refused, match="since has no value"):
        admit("SELECT {since:DateTime}", {}, printed(ONE))


@pytest.mark.parametrize("value", ["a b", "a\nSet", "a.b.c", "`a`", "", "a(children 1)"])
def test_a_parameter_that_is_an_identifier_is_a_plain_name(value):
    with pytest.raises(Refused):
        admit("SELECT {c:Identifier}", {"c": value}, printed(ONE))


def test_positions_of_an_error_are_those_of_the_user():
    def explain(text, parameters):
        raise StoreError(
            "Syntax error: failed at position 17 (x) (line 1, col 17): x\n FORMAT TSVRaw. Expected", code=62
        )

    with pytest.raises(StoreError, match=r"position 5 \(x\) \(line 1, col 5\): x. Expected"):
        admit("SELE x", {}, explain)


@pytest.mark.parametrize(
    "name", ["file", "FILE", "dictGetOrNull", "joinGet", "aiGenerate", "AIEmbed", "sleepEachRow", "python"]
)
def test_functions_with_side_doors_are_known_in_any_case(name):
    assert denied_function(name)


@pytest.mark.parametrize("name", ["avg", "quantile", "toStartOfInterval", "dateDiff", "arrayMap", "multiIf", "now64"])
def test_plain_functions_are_free(name):
    assert not denied_function(name)
