"""A ClickHouse server as far as clickhouse-connect sees one: its HTTP interface over the embedded engine, with writes.

    python -m tests.standins.clickhouse_server DIR [--port N] [--password TEXT] [--version TEXT]

It prints its port. DIR/refuse holds an error's text: while it exists inserts are refused with it, but for the tables
named in DIR/spare. DIR/cut names a table: its inserts are committed, and the connection ends before the answer.
DIR/taken has a file per table, with a byte for each insert that was run.
"""

import argparse
import base64
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import chdb

# What the server takes for itself; the rest of a URL is parameters and settings.
_TRANSPORT: Final = frozenset(
    {
        "query", "database", "default_format", "query_id", "wait_end_of_query", "send_progress_in_http_headers",
        "http_headers_progress_interval_ms", "client_protocol_version", "enable_http_compression", "user", "password",
        "buffer_size", "cancel_http_readonly_queries_on_client_close", "session_timeout",
    }
)  # fmt: skip
_SETTING: Final = re.compile(r"[a-z_][a-z0-9_]*")
_FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_INSERT: Final = re.compile(rb"\s*INSERT\s+INTO\s+([^\s(]+)\s*([^;]*?)\s+FORMAT\s+(\w+)\n", re.IGNORECASE)
_CODE: Final = re.compile(r"Code:\s*(\d+)")
_STATUS: Final = {516: 403, 497: 403, 60: 404, 81: 404, 241: 500, 159: 408}


class Server(ThreadingHTTPServer):
    """One engine; a handle of its own for each request, so that settings and databases never leak."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, port: int, password: str, version: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder = folder
        self.password = password
        self.version = version
        self.bodies = folder / "bodies"
        self.bodies.mkdir(parents=True, exist_ok=True)
        self.taken = folder / "taken"
        self.taken.mkdir(exist_ok=True)
        # The engine lives as long as its first handle.
        self.first = chdb.connect(str(folder / "data"))

    @contextmanager
    def handle(self, database: str, settings: Mapping[str, str]) -> Iterator[Any]:
        handle = chdb.connect(str(self.folder / "data"))
        try:
            if database:
                handle.query(f"USE `{database}`", "TabSeparated")
            for name in sorted(settings, key=lambda name: name == "readonly"):
                handle.query(f"SET {name} = {_quoted(settings[name])}", "TabSeparated")
            yield handle
        finally:
            handle.close()

    def told(self, what: str) -> str:
        """What the file of this name says; "" where there is none."""
        try:
            return (self.folder / what).read_text()
        except FileNotFoundError:
            return ""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def _answer(self, body: bytes) -> None:
        values = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if urlsplit(self.path).path == "/ping":
            self._send(200, b"Ok.\n")
        elif self._secret(values) != self.server.password:
            self._fail("Code: 516. DB::Exception: Authentication failed: password is incorrect (AUTHENTICATION_FAILED)")
        else:
            try:
                self._run(values, body)
            except RuntimeError as error:
                self._fail(str(error))

    def _run(self, values: dict[str, str], body: bytes) -> None:
        # What stands in the URL comes first; the rows of an insert follow its first line.
        query = b"\n".join(part for part in (values.get("query", "").encode(), body) if part)
        insert = _INSERT.match(query)
        settings = {name: value for name, value in values.items() if name not in _TRANSPORT and name[:6] != "param_"}
        if unfit := [name for name in settings if not _SETTING.fullmatch(name) or name == "session_id"]:
            raise RuntimeError(f"Code: 115. DB::Exception: Setting {unfit[0]} is not offered here (UNKNOWN_SETTING)")
        with self.server.handle(values.get("database", ""), settings) as handle:
            if insert is not None:
                self._insert(handle, insert, query[insert.end() :])
                return
            text = query.decode()
            if self.server.version and text.strip().startswith("SELECT version()"):
                self._send(200, f"{self.server.version}\tUTC\n".encode(), "TabSeparated")
                return
            found = _FORMAT.search(text)
            format_name = found.group(1) if found else values.get("default_format", "TabSeparated")
            parameters = {name[6:]: _unescaped(value) for name, value in values.items() if name[:6] == "param_"}
            result = handle.query(text, format_name, params=parameters)
            self._send(200, bytes(result.bytes()), format_name)

    def _insert(self, handle: Any, insert: "re.Match[bytes]", rows: bytes) -> None:
        table, columns, format_name = (part.decode() for part in insert.groups())
        name = table.rpartition(".")[2].strip("`")
        refusal = self.server.told("refuse")
        if refusal and name not in self.server.told("spare").split():
            raise RuntimeError(refusal)
        with tempfile.NamedTemporaryFile(dir=self.server.bodies) as file:
            file.write(rows)
            file.flush()
            handle.query(f"INSERT INTO {table} {columns} FROM INFILE '{file.name}' FORMAT {format_name}")
        with (self.server.taken / name).open("a") as taken:
            taken.write(".")
        if self.server.told("cut") == name:
            self.close_connection = True
            return
        self._send(200, b"")

    def _secret(self, values: Mapping[str, str]) -> str:
        scheme, _, rest = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            return base64.b64decode(rest).decode().partition(":")[2]
        return self.headers.get("X-ClickHouse-Key") or values.get("password", "")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while length := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _fail(self, message: str) -> None:
        found = _CODE.search(message)
        code = int(found.group(1)) if found else 1000
        text = f"{message} (version {self.server.version or '26.9.1.1'} (stand-in))\n"
        self._send(_STATUS.get(code, 500), text.encode(), headers={"X-ClickHouse-Exception-Code": str(code)})

    def _send(self, status: int, body: bytes, format_name: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        told = {"X-ClickHouse-Format": format_name} if format_name else {}
        for name, value in (told | {"X-ClickHouse-Timezone": "UTC"} | dict(headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _unescaped(value: str) -> str:
    """Parameters come escaped as in TSV, and the engine's own interface takes them plain."""
    known = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\", "\\'": "'"}
    return re.sub(r"\\.", lambda found: known.get(found.group(), found.group()[1:]), value)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--password", default="")
    parser.add_argument("--version", default="")
    arguments = parser.parse_args()
    server = Server(arguments.folder, arguments.port, arguments.password, arguments.version)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever(0.1)
    finally:
        server.server_close()
        server.first.close()


if __name__ == "__main__":
    main()
