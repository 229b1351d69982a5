"""What a request to the ClickHouse HTTP endpoint asks for; pure, so that hostile ones are tested without a socket."""

import base64
import binascii
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from steelyard_collector.sql.refusal import Refused
from steelyard_collector.store.base import PUBLIC_DATABASE
from steelyard_proto.errors import StoreError

MAX_BODY_BYTES: Final = 1 << 20
DEFAULT_FORMAT: Final = "TabSeparated"

# What a URL may say beside settings. Settings are not passed on: the limits are the collector's.
_CONTROL: Final = frozenset(
    {"query", "database", "default_format", "user", "password", "query_id", "enable_http_compression"}
)
_TRANSPORT: Final = frozenset(
    {
        "buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "client_protocol_version",
        "http_headers_progress_interval_ms",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "wait_end_of_query",
    }
)


@dataclass(frozen=True, slots=True)
class HttpQuery:
    """A query that came over HTTP.

    Attributes:
        default_format: for a query that names none.
        gzip: whether the answer may be compressed.
        query_id: as the client chose it, "" for none.
        ignored: settings that were asked for and have no effect.
    """

    query: str
    parameters: Mapping[str, str]
    default_format: str
    gzip: bool
    query_id: str
    ignored: tuple[str, ...]


def read_query(target: str, headers: Mapping[str, str], body: bytes) -> HttpQuery:
    """Reads a GET or POST; `headers` have lower-case names.

    Raises:
        Refused: it asks for something that the endpoint doesn't offer.
        StoreError: the body can't be read.
    """
    values = _values(target)
    for name in ("compress", "decompress"):
        if values.get(name, "0") not in ("", "0"):
            raise Refused(f"{name}={values[name]} is not offered; use gzip (enable_http_compression=1), or none")
    database = values.get("database") or headers.get("x-clickhouse-database", "")
    if database not in ("", "default", PUBLIC_DATABASE):
        raise StoreError(
            f"there is no database {database!r} here; ask for {PUBLIC_DATABASE}, or for none",
            code=81,
            name="UNKNOWN_DATABASE",
        )
    chosen = values.get("default_format") or headers.get("x-clickhouse-format") or DEFAULT_FORMAT
    accepted = headers.get("accept-encoding", "")
    known = _CONTROL | _TRANSPORT | {"compress", "decompress"}
    return HttpQuery(
        query=_text(values.get("query", ""), body, headers),
        parameters={name[6:]: _parameter(value) for name, value in values.items() if name.startswith("param_")},
        default_format=chosen,
        gzip=values.get("enable_http_compression", "0") == "1" and "gzip" in accepted,
        query_id=values.get("query_id", "")[:100],
        ignored=tuple(sorted(name for name in values if name not in known and not name.startswith("param_"))),
    )


def read_token(target: str, headers: Mapping[str, str]) -> str:
    """The token in the ways that ClickHouse's clients send a password; "" for none."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return headers.get("x-clickhouse-key") or _values(target).get("password", "")


def _values(target: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(target).query, keep_blank_values=True, max_num_fields=1000))


def _parameter(value: str) -> str:
    """ClickHouse takes parameters escaped as in TSV; ours are bound again, so the escapes go here."""
    known = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}
    pieces: list[str] = []
    characters = iter(value)
    for character in characters:
        after = next(characters, "") if character == "\\" else ""
        pieces.append(known.get(after, after) if character == "\\" else character)
    return "".join(pieces)


def _text(query: str, body: bytes, headers: Mapping[str, str]) -> str:
    encoding = headers.get("content-encoding", "identity").lower()
    if body and encoding == "gzip":
        body = _gunzipped(body)
    elif body and encoding not in ("identity", ""):
        raise Refused(f"the body's encoding {encoding} is not offered; send it plain or with gzip")
    if headers.get("content-type", "").startswith("multipart/"):
        raise Refused("a multipart body is not offered; send the query as the body and parameters in the URL")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"the body is not UTF-8: {error}", code=62, name="SYNTAX_ERROR") from error
    # As ClickHouse does: what stands in the URL comes first.
    return f"{query}\n{text}" if query and text else query or text


def _gunzipped(body: bytes) -> bytes:
    try:
        unpacker = zlib.decompressobj(wbits=31)
        text = unpacker.decompress(body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise StoreError(f"the body is no gzip: {error}", code=62, name="SYNTAX_ERROR") from error
    if unpacker.unconsumed_tail:
        raise Refused(f"the body unpacks to more than {MAX_BODY_BYTES} bytes; shorten the query")
    if not unpacker.eof:
        raise StoreError("the body's gzip ends too early; send it whole", code=62, name="SYNTAX_ERROR")
    return text


def compressed(body: bytes) -> bytes:
    """Gzip at its fastest: the link is loopback or a data centre's."""
    return gzip.compress(body, compresslevel=1)
