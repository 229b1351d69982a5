"""Responses of the ClickHouse HTTP endpoint: the headers and the wording that ClickHouse's clients look for."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steelyard_collector.access.tokens import Denial
from steelyard_collector.sql.http_request import HttpQuery, compressed
from steelyard_collector.sql.pool import TOO_MANY
from steelyard_collector.sql.remedies import EXHAUSTED
from steelyard_collector.sql.run import RawResult
from steelyard_proto.errors import StoreError

_ACCESS_DENIED: Final = 497
_AUTHENTICATION_FAILED: Final = 516

_TYPES: Final = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "XML": "application/xml; charset=UTF-8",
    "Parquet": "application/octet-stream",
    "Native": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "RowBinary": "application/octet-stream",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def success(query: HttpQuery, result: RawResult) -> Answer:
    """A result, compressed where that was asked for."""
    headers = {
        "Content-Type": _TYPES.get(result.format_name, "text/plain; charset=UTF-8"),
        "X-ClickHouse-Query-Id": query.query_id.encode("ascii", "replace").decode() or str(uuid.uuid4()),
        "X-ClickHouse-Format": result.format_name,
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Server-Display-Name": "steelyard",
        "X-ClickHouse-Summary": json.dumps({"result_bytes": str(len(result.body))}),
    }
    if query.ignored:
        headers["X-Steelyard-Ignored-Settings"] = ",".join(query.ignored).encode("ascii", "replace").decode()[:1000]
    if query.gzip:
        return Answer(200, compressed(result.body), headers | {"Content-Encoding": "gzip"})
    return Answer(200, result.body, headers)


def failure(error: StoreError, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as ClickHouse words it, with its code in a header."""
    name = f" ({error.name})" if error.name and f"({error.name})" not in str(error) else ""
    shown = str(error) if str(error).startswith("Code: ") else f"Code: {error.code}. DB::Exception: {error}"
    said = {"Content-Type": "text/plain; charset=UTF-8", "X-ClickHouse-Exception-Code": str(error.code)}
    if error.code == TOO_MANY:
        said["Retry-After"] = "1"
    return Answer(status, f"{shown}{name}\n".encode(), said | dict(headers or {}))


def denied(denial: Denial) -> Answer:
    """A token that may not ask; a stranger's client may ask its user for another."""
    if denial.is_known:
        return failure(StoreError(denial.reason, code=_ACCESS_DENIED, name="ACCESS_DENIED"), 403)
    error = StoreError(denial.reason, code=_AUTHENTICATION_FAILED, name="AUTHENTICATION_FAILED")
    return failure(error, 401, {"WWW-Authenticate": 'Basic realm="steelyard"'})


def status_of(error: StoreError) -> int:
    """The HTTP status of an error; clients of ClickHouse ask again after 503."""
    if error.code == TOO_MANY:
        return 503
    if error.code in EXHAUSTED:
        return 422
    return {_ACCESS_DENIED: 403, 60: 404, 81: 404}.get(error.code, 400)
