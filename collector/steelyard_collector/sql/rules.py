"""What the gate knows: which statements, functions, tables and formats are harmless."""

import re
from typing import Final

from steelyard_collector.store.base import STORE_DATABASE

# Nodes that carry nothing of their own; what stands below them is checked one by one.
# ColumnsApplyTransformer is not here: EXPLAIN AST hides the function that it applies.
HARMLESS: Final = frozenset(
    {
        "ArrayJoin",
        "Asterisk",
        "ColumnsExceptTransformer",
        "ColumnsListMatcher",
        "ColumnsRegexpMatcher",
        "ColumnsReplaceTransformer",
        "ColumnsReplaceTransformer::Replacement",
        "ColumnsTransformerList",
        "ExpressionList",
        "InterpolateElement",
        "Literal",
        "OrderByElement",
        "QualifiedAsterisk",
        "QualifiedColumnsListMatcher",
        "QualifiedColumnsRegexpMatcher",
        "SampleRatio",
        "SelectIntersectExceptQuery",
        "SelectQuery",
        "SelectWithUnionQuery",
        "Subquery",
        "TableExpression",
        "TableJoin",
        "TablesInSelectQuery",
        "TablesInSelectQueryElement",
        "WindowDefinition",
        "WindowListElement",
        "WithElement",
    }
)

EXISTS: Final = frozenset({"ExistsTableQuery", "ExistsViewQuery", "ExistsDatabaseQuery", "ExistsDictionaryQuery"})
EXPLAINED: Final = frozenset(
    {"EXPLAIN", "EXPLAIN PLAN", "EXPLAIN PIPELINE", "EXPLAIN ESTIMATE", "EXPLAIN SYNTAX", "EXPLAIN QUERY TREE"}
)

# EXPLAIN AST doesn't show the WHERE of a SHOW, so its text must have exactly this form.
_NAME: Final = r"(?:[A-Za-z_][A-Za-z0-9_]*|`[A-Za-z0-9_ ]+`|\"[A-Za-z0-9_ ]+\")"
SHOW: Final = re.compile(
    rf"\s*SHOW\s+(?:FULL\s+)?(?:DATABASES|FUNCTIONS|TABLES(?:\s+(?:FROM|IN)\s+{_NAME})?"
    rf"|COLUMNS\s+(?:FROM|IN)\s+(?:{_NAME}\.)?{_NAME}(?:\s+(?:FROM|IN)\s+{_NAME})?)"
    r"(?:\s+(?:NOT\s+)?I?LIKE\s+'(?:[^'\\]|\\.|'')*')?(?:\s+LIMIT\s+[0-9]+)?\s*",
    re.IGNORECASE | re.DOTALL,
)

TABLE_FUNCTIONS: Final = frozenset(
    {"numbers", "numbers_mt", "generateseries", "generate_series", "values", "sqlstandardvalues", "zeros"}
)

IN_FUNCTIONS: Final = frozenset(
    f"{prefix}{name}{suffix}"
    for prefix in ("", "global")
    for name in ("in", "notin", "nullin", "notnullin")
    for suffix in ("", "ignoreset")
)

# Databases that no identifier may begin with; a real alias of that name is refused too, which harms nobody.
HIDDEN_DATABASES: Final = frozenset(
    {STORE_DATABASE, "system", "default", "information_schema", "_temporary_and_external_tables"}
)

# What clients read on connecting and for completion.
OPEN_TABLES: Final = {
    "system": frozenset(
        {
            "build_options",
            "columns",
            "contributors",
            "data_type_families",
            "databases",
            "formats",
            "functions",
            "keywords",
            "numbers",
            "numbers_mt",
            "one",
            "settings",
            "table_engines",
            "table_functions",
            "tables",
            "time_zones",
        }
    ),
    "information_schema": frozenset({"columns", "schemata", "tables", "views"}),
}

SETTINGS_REFUSAL: Final = (
    "SETTINGS are the collector's own; leave the clause away, the limits stand in its configuration"
)


def _any(pattern: str) -> re.Pattern[str]:
    # Some functions are known in any case, and some only in one: refusing all cases harms nobody.
    return re.compile(pattern, re.IGNORECASE)


_FILES: Final = "it reads files of the collector's machine; read from the views of steelyard"
_OUT: Final = "it connects to other machines; fetch such data on your side"
_STORE: Final = "it reads tables beside the public views; join with a view instead"
_CODE: Final = "it runs code or looks into the process; compute it on your side"
_HOLD: Final = "it only holds a place that others wait for; wait on your side"

# Functions of values. A name alone is as good as a call: arrayMap(file, [...]) reads files.
_SCALAR: Final = (
    (_any(r"file|structureTo\w+Schema|catboostEvaluate|modelEvaluate"), _FILES),
    (re.compile(r"[aA][iI][A-Z]\w*"), _OUT),
    (_any(r"reverseDNSQuery"), _OUT),
    (_any(r"dict(?:Get|Has|IsIn)\w*|joinGet\w*|hasColumnInTable"), _STORE),
    (_any(r"evalMLMethod|fuzzQuery|fuzzJSON|addressTo\w+|demangle|logTrace|__\w+"), _CODE),
    (_any(r"getClientHTTPHeader|getMaxTableNameLengthForDatabase|mergeTree\w+|generateSerialID|zookeeper\w+"), _CODE),
    (_any(r"sleep|sleepEachRow"), _HOLD),
)

# Functions that stand for tables; refused wherever they are called.
_TABLE: Final = (
    (_any(r"fileCluster|filesystem|sqlite|icebergLocal|deltaLakeLocal|paimonLocal|input"), _FILES),
    (_any(r"url|urlCluster|s3\w*|gcs|oss|cosn|azure\w*|hdfs\w*|remote\w*|redis|mongodb|odbc|jdbc|arrow\w+"), _OUT),
    (_any(r"mysql|postgresql|iceberg\w*|delta\w*|hudi\w*|paimon\w*|ytsaurus|bigquery|prometheus\w*"), _OUT),
    (_any(r"dictionary|merge|loop|cluster\w*|view\w*|timeSeries(?:Selector|Tags|Samples|Data|Metric\w+)"), _STORE),
    (_any(r"python|eval|executable\w*"), _CODE),
)
_HARMLESS_TABLE: Final = _any(
    r"format|null|generateRandom|primes|numbers\w*|zeros\w*|values|SQLStandardValues|generate_?series"
)


def denied_name(name: str) -> str:
    """Why a function of values may not even be named, with the remedy; "" where it is harmless."""
    return _reason(name, _SCALAR)


def denied_function(name: str) -> str:
    """Why a function may not be called, with the remedy; "" where it is harmless."""
    return _reason(name, _SCALAR + _TABLE)


def is_table_function(name: str) -> bool:
    """Whether ClickHouse might read a table of its own making for this name."""
    return bool(denied_function(name)) or _HARMLESS_TABLE.fullmatch(name) is not None


def _reason(name: str, rules: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    return next((reason for pattern, reason in rules if pattern.fullmatch(name)), "")


def statement_refusal(kind: str) -> str:
    """What to say about a statement that is no query."""
    name = kind.removesuffix("Query") or "this"
    return (
        f"{name} is no plain query; the collector answers SELECT, DESCRIBE, EXISTS, SHOW and EXPLAIN over the views of "
        "steelyard, without INTO OUTFILE and SETTINGS"
    )


# Output formats that need no schema file and no wire of their own.
FORMATS: Final = (
    "Arrow",
    "ArrowStream",
    "CSV",
    "CSVWithNames",
    "CSVWithNamesAndTypes",
    "JSON",
    "JSONColumns",
    "JSONColumnsWithMetadata",
    "JSONCompact",
    "JSONCompactColumns",
    "JSONCompactEachRow",
    "JSONCompactEachRowWithNames",
    "JSONCompactEachRowWithNamesAndTypes",
    "JSONEachRow",
    "JSONLines",
    "JSONStrings",
    "JSONStringsEachRow",
    "Markdown",
    "MsgPack",
    "NDJSON",
    "Native",
    "Null",
    "Parquet",
    "Pretty",
    "PrettyCompact",
    "PrettySpace",
    "RowBinary",
    "RowBinaryWithNames",
    "RowBinaryWithNamesAndTypes",
    "TSKV",
    "TSV",
    "TSVRaw",
    "TSVWithNames",
    "TSVWithNamesAndTypes",
    "TabSeparated",
    "TabSeparatedRaw",
    "TabSeparatedWithNames",
    "TabSeparatedWithNamesAndTypes",
    "Values",
    "Vertical",
    "XML",
)
