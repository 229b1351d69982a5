"""The ClickHouse HTTP endpoint: read-only, through the same gate; for clickhouse-connect, Grafana and curl."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from steelyard_collector.access.tokens import Authorize
from steelyard_collector.sql.http_answer import Answer, denied, failure, status_of, success
from steelyard_collector.sql.http_peer import has_gone, is_loopback, is_own_name
from steelyard_collector.sql.http_request import MAX_BODY_BYTES, HttpQuery, read_query, read_token
from steelyard_collector.sql.pool import ReaderPool
from steelyard_collector.sql.remedies import out_of_patience
from steelyard_collector.sql.run import QueryRun, RawResult
from steelyard_collector.sql.service import anybody
from steelyard_proto.errors import StoreError

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 64
IDLE_S: Final = 60.0
# How soon a query of a client that has gone is stopped.
GONE_CHECK_S: Final = 0.25


class HttpDoor(ThreadingHTTPServer):
    """The listening endpoint; serves from its own threads until it is closed."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, pool: ReaderPool, address: tuple[str, int], authorize: Authorize, tls: ssl.SSLContext | None
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)
        if tls is not None:
            # The handshake is made by the connection's own thread, so that a silent client holds nobody up.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.pool = pool
        self.authorize = authorize
        self.is_loopback = is_loopback(address[0])
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Starts to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stops listening; connections that are open end with their client or with the process."""
        self.shutdown()
        self.server_close()
        self._thread.join(timeout=5)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Takes a connection where there is a place, and hangs up where there is none."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            log.warning("more than %d HTTP connections; one from %s is refused", MAX_CONNECTIONS, client_address[0])
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def server_close(self) -> None:
        """Closes the listening socket without waiting for connections."""
        self.socket.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is nobody's fault here."""
        log.debug("an HTTP connection from %s broke", client_address[0])


def serve_http(
    pool: ReaderPool,
    host: str = "127.0.0.1",
    port: int = 8471,
    authorize: Authorize = anybody,
    tls: ssl.SSLContext | None = None,
) -> HttpDoor:
    """Listens and serves.

    Args:
        pool: lends the clients; share it with the gRPC service, so that both doors have one bound.
        host: an address of this machine.
        port: 0 for any free one.
        authorize: asked for each query.
        tls: None for plain HTTP.

    Raises:
        OSError: the address can't be listened on.
    """
    door = HttpDoor(pool, (host, port), authorize, tls)
    door.start()
    return door


class _Handler(BaseHTTPRequestHandler):
    server: HttpDoor
    protocol_version = "HTTP/1.1"
    server_version = "Steelyard"
    sys_version = ""
    timeout = IDLE_S
    # One segment for the headers and the body.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """A query in the URL, or a sign of life."""
        self._answer(b"")

    def do_HEAD(self) -> None:
        """A sign of life."""
        self._answer(b"")

    def do_POST(self) -> None:
        """A query in the body."""
        body = self._body()
        if body is None:
            self.close_connection = True
            error = StoreError(
                f"the body is longer than {MAX_BODY_BYTES} bytes, or broken", code=307, name="TOO_MANY_BYTES"
            )
            self._send(failure(error, 413))
        else:
            self._answer(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps requests out of stderr, and what follows the path out of the log: a token may stand there."""
        log.debug("HTTP from %s: %s", self.client_address[0], getattr(self, "path", "").partition("?")[0])

    def _answer(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.server.is_loopback and not is_own_name(headers.get("host", "")):
            self._send(
                failure(StoreError("this address answers to localhost only", code=497, name="ACCESS_DENIED"), 403)
            )
        elif path in ("/ping", "/replicas_status") or (path == "/" and "?" not in self.path and not body):
            self._send(Answer(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"}))
        elif path != "/":
            self._send(failure(StoreError(f"there is no {path[:100]} here; send queries to /", code=0), 404))
        elif denial := self.server.authorize(read_token(self.path, headers)):
            self._send(denied(denial))
        else:
            self._query(headers, body)

    def _query(self, headers: Mapping[str, str], body: bytes) -> None:
        try:
            query = read_query(self.path, headers, body)
            result = self._run(query)
        except (StoreError, ValueError) as error:
            known = error if isinstance(error, StoreError) else StoreError(str(error), code=36, name="BAD_ARGUMENTS")
            self._send(failure(known, status_of(known)))
            return
        if result is None:
            self.close_connection = True
            return
        self._send(success(query, result))

    def _run(self, query: HttpQuery) -> RawResult | None:
        """The result; None when the client has gone and the query was stopped."""
        run = QueryRun(self.server.pool)
        future: Future[RawResult] = Future()

        def work() -> None:
            try:
                future.set_result(run.raw(query.query, query.parameters, query.default_format))
            except StoreError as error:
                future.set_exception(error)

        threading.Thread(target=work, name="http-query", daemon=True).start()
        patience_s = self.server.pool.patience_s
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return future.result(GONE_CHECK_S)
            except FutureTimeout:
                if future.done():
                    continue
                if has_gone(self.connection):
                    run.cancel()
                    return None
                if time.monotonic() > deadline:
                    run.cancel()
                    raise out_of_patience(patience_s) from None

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            return None
        return self.rfile.read(length) if 0 <= length <= MAX_BODY_BYTES else None

    def _chunks(self) -> bytes | None:
        body = b""
        while True:
            try:
                length = int(self.rfile.readline(64).partition(b";")[0], 16)
            except ValueError:
                return None
            if not 0 <= length <= MAX_BODY_BYTES - len(body):
                return None
            body += self.rfile.read(length)
            self.rfile.readline(64)
            if length == 0:
                return body

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()
