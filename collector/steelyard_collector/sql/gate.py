"""Decides whether a query from outside may run: one read-only statement over the public views.

The read-only mode of ClickHouse alone still reads files, writes files, connects out and reads our tables; so the
query is parsed by ClickHouse itself (EXPLAIN AST, on the read-only client) and only what is known to be harmless
passes. Some expressions don't appear in that tree (SHOW ... WHERE, APPLY): those forms are refused as text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_collector.sql import rules
from steelyard_collector.sql.lexer import Statement, Token, parse_statement
from steelyard_collector.sql.refusal import Refused
from steelyard_collector.sql.tree import Node, read_tree
from steelyard_collector.store.base import PUBLIC_DATABASE
from steelyard_proto.errors import StoreError

# Runs a query on the read-only client and gives its lines as text.
Explain = Callable[[str, Mapping[str, str]], str]

_EXPLAIN: Final = "EXPLAIN AST "
_POSITION: Final = re.compile(r"position ([0-9]+)( .{0,200}?)\(line ([0-9]+), col ([0-9]+)\)", re.DOTALL)
_IDENTIFIER_VALUE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A query that may run, as it may run.

    Attributes:
        text: the statement, without comments and FORMAT.
        parameters: those that the text names.
        format_name: the output format that its author wrote; "" for none.
    """

    text: str
    parameters: Mapping[str, str]
    format_name: str


def admit(query: str, parameters: Mapping[str, str], explain: Explain) -> Admitted:
    """Lets a query through the gate.

    Args:
        query: what somebody sent.
        parameters: values for `{name:Type}`.
        explain: must run on a read-only client: a second statement would be executed by it.

    Raises:
        Refused: with the reason and what to write instead.
        StoreError: ClickHouse can't parse it.
    """
    statement = parse_statement(query)
    if statement.format_name and statement.format_name not in rules.FORMATS:
        raise Refused(f"the format {statement.format_name} is not offered; write one of {', '.join(rules.FORMATS)}")
    _check_words(statement.tokens)
    bound = _bound(statement.tokens, parameters)
    if statement.tokens[0].is_word("SHOW"):
        _check_show(statement)
    else:
        check_tree(read_tree(_explained_tree(statement.text, bound, explain)))
    return Admitted(statement.text, bound, statement.format_name)


def _explained_tree(text: str, bound: Mapping[str, str], explain: Explain) -> str:
    try:
        return explain(_EXPLAIN + text, bound)
    except StoreError as error:
        raise StoreError(_own_positions(str(error)), code=error.code, name=error.name) from error


def _own_positions(message: str) -> str:
    """The same message with positions counted in the user's query, and without the format that was appended."""

    def shifted(found: re.Match[str]) -> str:
        position, shown, line, column = found.groups()
        moved = int(column) - len(_EXPLAIN) if line == "1" else int(column)
        return f"position {int(position) - len(_EXPLAIN)}{shown}(line {line}, col {moved})"

    return _POSITION.sub(shifted, message).replace("\n FORMAT TSVRaw", "")


def _check_words(tokens: tuple[Token, ...]) -> None:
    """What stands in the text itself, whatever the tree may show or hide of it."""
    for token, after in zip(tokens, (*tokens[1:], Token("sign", "", 0, 0)), strict=True):
        if token.is_word("INTO") and after.is_word("OUTFILE"):
            raise Refused("INTO OUTFILE writes a file on the collector; redirect the output of your client instead")
        if token.kind not in ("word", "name"):
            continue
        if after.text == "(" and (reason := rules.denied_function(token.text)):
            raise Refused(f"the function {token.text}() is not offered: {reason}")
        if token.is_word("APPLY") and after.text == "(":
            raise Refused("APPLY is not offered, since its function can't be checked; write the columns one by one")


def _bound(tokens: tuple[Token, ...], parameters: Mapping[str, str]) -> dict[str, str]:
    bound: dict[str, str] = {}
    for brace, name, colon, kind in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        if brace.text != "{" or brace.kind != "sign" or name.kind != "word" or colon.text != ":":
            continue
        if name.text not in parameters:
            raise Refused(f"the parameter {name.text} has no value; give one, for example --param {name.text}=VALUE")
        value = parameters[name.text]
        if kind.is_word("IDENTIFIER") and not _IDENTIFIER_VALUE.fullmatch(value):
            raise Refused(f"the parameter {name.text} is no plain name: {value!r}; give a view's or a column's name")
        bound[name.text] = value
    return bound


def _check_show(statement: Statement) -> None:
    if not rules.SHOW.fullmatch(statement.text):
        raise Refused(
            "of SHOW only SHOW TABLES, SHOW DATABASES, SHOW COLUMNS FROM view and SHOW FUNCTIONS are offered, each "
            "with LIKE at most; write DESCRIBE view, or select from system.tables, system.columns or system.functions"
        )


def check_tree(root: Node) -> None:
    """Checks a statement's tree.

    Raises:
        Refused: naming the first thing in it that is not known to be harmless.
    """
    body = _body(root)
    for part in body:
        for node, parent in part.walk():
            _check_node(node, parent)


def _body(root: Node) -> list[Node]:
    """The parts of the statement that need a look; the last child of the root is the output format."""
    if not root.children or root.children[-1].kind != "Identifier":
        raise Refused(rules.statement_refusal(root.kind))
    parts = root.children[:-1]
    if root.kind == "SelectWithUnionQuery" and len(parts) == 1:
        return [Node(root.kind, root.value, 1, parts)]
    if root.kind == "DescribeQuery" and [part.kind for part in parts] == ["TableExpression"]:
        return parts
    if root.kind in rules.EXISTS and all(part.kind == "Identifier" for part in parts):
        return []
    if root.kind == "Explain":
        return _explained(root.value, parts)
    if any(part.kind == "Set" for part in parts):
        raise Refused(rules.SETTINGS_REFUSAL)
    raise Refused(rules.statement_refusal(root.kind))


def _explained(what: str, parts: list[Node]) -> list[Node]:
    if what not in rules.EXPLAINED:
        raise Refused(f"{what} is not offered; write EXPLAIN, EXPLAIN PIPELINE, EXPLAIN ESTIMATE or EXPLAIN SYNTAX")
    if parts and parts[0].kind == "Set":
        # The options of EXPLAIN itself, such as indexes = 1; a SETTINGS clause stands inside the SELECT.
        parts = parts[1:]
    if [part.kind for part in parts] != ["SelectWithUnionQuery"]:
        raise Refused("EXPLAIN is offered for a SELECT only; explain the SELECT alone")
    return parts


def _check_node(node: Node, parent: Node | None) -> None:
    if node.kind == "Function":
        _check_function(node, parent)
    elif node.kind == "TableIdentifier":
        _check_table(node.value)
    elif node.kind == "Identifier":
        _check_identifier(node.value)
    elif node.kind == "Set":
        raise Refused(rules.SETTINGS_REFUSAL)
    elif node.kind not in rules.HARMLESS:
        raise Refused(f"{node.kind} is not known to be harmless; write the query without it")


def _check_function(node: Node, parent: Node | None) -> None:
    name = node.value
    if parent is not None and parent.kind == "TableExpression":
        if name.lower() not in rules.TABLE_FUNCTIONS:
            raise Refused(
                f"the table function {name}() is not offered; read from the views of steelyard (SHOW TABLES), "
                "or from numbers(), generateSeries() or values()"
            )
        return
    if reason := rules.denied_function(name):
        raise Refused(f"the function {name}() is not offered: {reason}")
    if name.lower() in rules.IN_FUNCTIONS:
        _check_right_side(node)


def _check_right_side(node: Node) -> None:
    """`x IN name` reads a table of that name, though the tree shows a plain identifier."""
    for arguments in node.children[:1]:
        for argument in arguments.children[1:]:
            if argument.kind == "Identifier":
                _check_table(argument.value)
            if argument.kind == "Function" and rules.is_table_function(argument.value):
                raise Refused(f"{argument.value}() after IN is not offered; write a subquery over a view there")


def _check_table(name: str) -> None:
    database, dot, table = name.partition(".")
    if not dot or database == PUBLIC_DATABASE:
        return
    if table.lower() in rules.OPEN_TABLES.get(database.lower(), frozenset()):
        return
    raise Refused(f"{name} is not open; read from the views of steelyard: SHOW TABLES lists them")


def _check_identifier(name: str) -> None:
    if reason := rules.denied_name(name):
        raise Refused(f"the name {name} is not offered: {reason}")
    database, dot, rest = name.partition(".")
    if not dot or database.lower() not in rules.HIDDEN_DATABASES:
        return
    if rest.split(".")[0].lower() in rules.OPEN_TABLES.get(database.lower(), frozenset()):
        return
    raise Refused(f"{name} is not open; read from the views of steelyard: SHOW TABLES lists them")
