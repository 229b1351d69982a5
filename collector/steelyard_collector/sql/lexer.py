"""Cuts a query into tokens as ClickHouse does, and refuses whatever the two could read differently."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from steelyard_collector.sql.refusal import Refused

Kind = Literal["word", "name", "string", "number", "sign"]

MAX_QUERY_BYTES: Final = 256 * 1024

_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
    | (?P<bits>[xXbB]'[0-9A-Fa-f]*')
    | (?P<string>'(?:[^'\\]|\\.|'')*')
    | (?P<name>`(?:[^`\\\n\r]|``)*`|"(?:[^"\\\n\r]|"")*")
    | (?P<number>[0-9][0-9A-Za-z_]*)
    | (?P<word>(?![xXbB]')[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>/(?!\*)|[-+*%=<>!,.()\[\]{}:?|;@^~])
    """,
    re.DOTALL | re.VERBOSE,
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query; `text` is as written, but a name stands without its quotes."""

    kind: Kind
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "word" and self.text.upper() in words


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without comments, without its `;` and without its FORMAT.

    Attributes:
        text: what is run.
        tokens: of `text`.
        format_name: the output format that the user wrote, "" for none.
    """

    text: str
    tokens: tuple[Token, ...]
    format_name: str


def parse_statement(query: str) -> Statement:
    """Reads one statement.

    Raises:
        Refused: there is none, or more than one, or something that can't be read with certainty.
    """
    if len(query.encode(errors="replace")) > MAX_QUERY_BYTES:
        raise Refused(f"the query is longer than {MAX_QUERY_BYTES} bytes; shorten it, or pass values as parameters")
    if control := _CONTROL.search(query):
        raise Refused(
            f"the query holds the control character {control.group()!r} at position {control.start()}; "
            "write it as an escape inside a string"
        )
    text = _without_comments(query)
    tokens = tuple(_tokens(text))
    if tokens and tokens[-1].text == ";" and tokens[-1].kind == "sign":
        tokens = tokens[:-1]
    if not tokens:
        raise Refused("the query is empty; write a SELECT over the public views, for example SELECT * FROM devices")
    if any(token.kind == "sign" and token.text == ";" for token in tokens):
        raise Refused("there is more than one statement; send them one by one")
    format_name = ""
    if len(tokens) > 2 and tokens[-2].is_word("FORMAT") and tokens[-1].kind == "word":
        format_name, tokens = tokens[-1].text, tokens[:-2]
    return Statement(text[: tokens[-1].end], tokens, format_name)


def _without_comments(query: str) -> str:
    pieces = [" " if kind == "comment" else piece for kind, piece, _ in _pieces(query)]
    return "".join(pieces)


def _pieces(query: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(query):
        found = _TOKEN.match(query, at)
        if found is None:
            raise Refused(_unreadable(query, at))
        yield found.lastgroup or "", found.group(), at
        at = found.end()


def _tokens(text: str) -> Iterator[Token]:
    kinds: dict[str, Kind] = {
        "bits": "string",
        "string": "string",
        "name": "name",
        "number": "number",
        "word": "word",
        "sign": "sign",
    }
    for group, piece, start in _pieces(text):
        kind = kinds.get(group)
        if kind is None:
            continue
        shown = piece[1:-1] if kind == "name" else piece
        yield Token(kind, shown, start, start + len(piece))


def _unreadable(query: str, at: int) -> str:
    character = query[at]
    near = query[at : at + 20]
    if character in "'\"`":
        return (
            f"the quote at position {at} has no end, or a quoted name holds a backslash or a line break: {near!r}; "
            "close it, and write names without escapes"
        )
    if character == "/":
        return f"the comment at position {at} has no end: {near!r}; close it with */"
    return f"{character!r} at position {at} is not readable here: {near!r}; write text inside single quotes"
