"""The only file of the terminal program that knows the wire: queries and live views from a collector."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, Self

import grpc
import pyarrow as pa

from steelyard_proto.errors import ContractError, SteelyardError, StoreError, TransportError
from steelyard_proto.peer import Peer
from steelyard_proto.v1 import control_pb2, control_pb2_grpc, query_pb2, query_pb2_grpc
from steelyard_tui.settings import Settings, Tls

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 256 << 20),
    # A collector that comes back is found within seconds; grpc's own backoff grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_http_proxy", 0),
    # Not shared between clients: closing one must not depend on another.
    ("grpc.use_local_subchannel_pool", 1),
)
_REFUSED: Final = frozenset(
    {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED}
)
_ACCESS: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


class Cancelled(SteelyardError):
    """The call was cancelled on this side."""


@dataclass(frozen=True, slots=True)
class SqlResult:
    """A query's rows; `truncated` where there were more than `max_rows`."""

    table: pa.Table
    truncated: bool


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """What to watch; the fields are those of WatchRequest in query.proto."""

    view: str
    columns: tuple[str, ...] = ()
    filter: str = ""
    order: str = ""
    descending: bool = False
    limit: int = 0
    offset: int = 0
    period_ms: int = 1000


@dataclass(frozen=True, slots=True)
class WatchFrame:
    """A view at one moment.

    Attributes:
        time_ms: the collector's clock when the view was read, Unix time.
        total_rows: rows that pass the filter.
        all_rows: rows of the view.
        table: the page that was asked for.
    """

    time_ms: int
    total_rows: int
    all_rows: int
    table: pa.Table


class _Call(Protocol):
    def __next__(self) -> Any: ...
    def cancel(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class ShareRows:
    """Rows of the view shares or claims, and what is wrong with the collector's files of claims and prices."""

    table: pa.Table
    faults: tuple[str, ...]


class SqlCall:
    """A query that runs; its rows come as they arrive, or as one table."""

    def __init__(self, call: _Call, peer: Peer) -> None:
        self._pieces = _Pieces(call, peer)

    def batches(self) -> pa.RecordBatchReader:
        """The rows as a stream of record batches; `truncated` is known once it is read to the end.

        Raises:
            StoreError: the collector refuses the query, or it ran into a limit.
            TransportError: the collector can't be reached.
            Cancelled: `cancel` was called.
        """
        return pa.ipc.open_stream(pa.PythonFile(io.BufferedReader(self._pieces, 1 << 20), mode="r"))

    def result(self) -> SqlResult:
        """All rows; raises like `batches`."""
        table = self.batches().read_all()
        # What follows the end of the Arrow stream is read too: `truncated` stands in the last reply.
        self._pieces.drain()
        return SqlResult(table, self._pieces.truncated)

    @property
    def truncated(self) -> bool:
        """Whether there were more rows than `max_rows`; known at the end."""
        return self._pieces.truncated

    def cancel(self) -> None:
        """Stops the query, on the collector too. Safe from any thread."""
        self._pieces.call.cancel()


class WatchStream:
    """Frames of a view, about one a period, until it is cancelled or fails."""

    def __init__(self, call: _Call, peer: Peer) -> None:
        self._call = call
        self._peer = peer

    def __iter__(self) -> Iterator[WatchFrame]:
        return self

    def __next__(self) -> WatchFrame:
        """The next frame.

        Raises:
            StoreError: the collector refuses the view, a column or the filter.
            TransportError: the collector can't be reached, or went away.
            Cancelled: `cancel` was called.
        """
        try:
            reply = next(self._call)
        except grpc.RpcError as error:
            raise _translated(error, self._peer) from error
        try:
            table = pa.ipc.open_stream(reply.arrow_ipc).read_all()
        except pa.ArrowInvalid as error:
            raise ContractError("arrow_ipc", f"the collector's reply is no Arrow stream: {error}") from error
        return WatchFrame(reply.time_ms, reply.total_rows, reply.all_rows, table)

    def cancel(self) -> None:
        """Ends the stream. Safe from any thread."""
        self._call.cancel()


class Client:
    """A connection to one collector. Threads may share it."""

    def __init__(self, channel: grpc.Channel, peer: Peer, token: str = "") -> None:
        self.address = peer.address
        self._peer = peer
        self._channel = channel
        self._stub = query_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def start_sql(self, query: str, parameters: Mapping[str, str] | None = None, max_rows: int = 0) -> SqlCall:
        """Starts a query over the public views and returns at once.

        Args:
            query: one read-only statement.
            parameters: for {name:Type} in the query, bound by ClickHouse.
            max_rows: 0 for the collector's limit.
        """
        request = query_pb2.SqlRequest(query=query, parameters=dict(parameters or {}), max_rows=max_rows)
        return SqlCall(self._stub.Sql(request, metadata=self._metadata), self._peer)

    def sql(self, query: str, parameters: Mapping[str, str] | None = None, max_rows: int = 0) -> SqlResult:
        """Runs a query to its end; see `start_sql` for the arguments and `SqlCall.batches` for the errors."""
        return self.start_sql(query, parameters, max_rows).result()

    def watch(self, query: WatchQuery) -> WatchStream:
        """Watches a view; errors come from the stream."""
        request = query_pb2.WatchRequest(
            view=query.view,
            columns=query.columns,
            filter=query.filter,
            order=query.order,
            descending=query.descending,
            limit=query.limit,
            offset=query.offset,
            period_ms=query.period_ms,
        )
        return WatchStream(self._stub.Watch(request, metadata=self._metadata), self._peer)

    def read_view(self, query: WatchQuery) -> WatchFrame:
        """One frame of a view; raises like `WatchStream`."""
        stream = self.watch(query)
        try:
            return next(stream)
        finally:
            stream.cancel()

    def compare(self, window_s: int, *, quantity: str = "", mode: str = "") -> ShareRows:
        """Every chip's share of every other over the window that ends now; see query.proto.

        Raises:
            StoreError: the collector refuses the window, or can't compute it.
            TransportError: the collector can't be reached.
        """
        request = query_pb2.CompareRequest(window_s=window_s, quantity=quantity, mode=mode)
        return self._share_rows(self._stub.Compare, request)

    def claims(self, window_s: int) -> ShareRows:
        """The verdicts on the claims over the window that ends now; raises as `compare`."""
        return self._share_rows(self._stub.Claims, query_pb2.ClaimsRequest(window_s=window_s))

    def chips(self, window_s: int) -> ShareRows:
        """Each chip's own figures over the window that ends now; raises as `compare`."""
        return self._share_rows(self._stub.Chips, query_pb2.ChipsRequest(window_s=window_s))

    @property
    def control(self) -> "Control":
        """What is asked of agents through the collector."""
        return Control(self._channel, self._peer, self._metadata)

    def _share_rows(self, method: Any, request: Any) -> ShareRows:
        try:
            reply = method(request, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _translated(error, self._peer) from error
        return ShareRows(pa.ipc.open_stream(reply.arrow_ipc).read_all(), tuple(reply.faults))

    def close(self) -> None:
        """Ends the connection and every call on it."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Control:
    """Asks agents for profiles and traces. Every call raises as it is read.

    Raises:
        StoreError: nothing of that name is there, an agent doesn't answer, or too much is asked for at once.
        TransportError: the collector can't be reached, or takes an operator's token.
    """

    def __init__(self, channel: grpc.Channel, peer: Peer, metadata: Any) -> None:
        self._stub = control_pb2_grpc.ControlStub(channel)  # type: ignore[no-untyped-call]
        self._peer = peer
        self._metadata = metadata

    def profile(self, request: control_pb2.ProfileRequest) -> Iterator[control_pb2.ProfileProgress]:
        """How it goes with each process, until all are stored or failed; see control.proto."""
        return self._read(self._stub.Profile(request, metadata=self._metadata))

    def fetch(self, profile: str) -> Iterator[control_pb2.FetchReply]:
        """The raw trace of a stored profile, in pieces."""
        return self._read(self._stub.Fetch(control_pb2.FetchRequest(profile=profile), metadata=self._metadata))

    def pause(self, is_paused: bool | None = None, reason: str = "") -> control_pb2.PauseReply:
        """Stops or resumes continuous profiles of the whole fleet; None only asks."""
        request = control_pb2.PauseRequest(reason=reason)
        if is_paused is not None:
            request.pause = is_paused
        try:
            reply: control_pb2.PauseReply = self._stub.Pause(request, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _control_error(error, self._peer) from error
        return reply

    def _read(self, call: Any) -> Iterator[Any]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise _control_error(error, self._peer) from error
        finally:
            call.cancel()


def _control_error(error: grpc.RpcError, peer: Peer) -> SteelyardError:
    """What the collector says of an agent comes with a name; the rest is of the connection."""
    told: Any = error.trailing_metadata() or ()
    name = next((value for key, value in told if key == "steelyard-name"), "")
    return StoreError(error.details() or name, name=name) if name else _translated(error, peer, "an operator's")


def connect(address: str, tls: Tls | None = None, token: str = "") -> Client:
    """A client of the collector at `address` (host:port); nothing is sent before the first call."""
    if tls is None:
        channel = grpc.insecure_channel(address, options=_OPTIONS)
    else:
        credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.certificate)
        channel = grpc.secure_channel(address, credentials, options=_OPTIONS)
    return Client(channel, Peer(address, tls is not None, tls is not None and tls.certificate is not None), token)


def open_client(settings: Settings) -> Client:
    """A client by the user's settings."""
    return connect(settings.collector, settings.tls, settings.token)


class _Pieces(io.RawIOBase):
    """The pieces of an Arrow stream as one file, so that rows are decoded while they arrive."""

    def __init__(self, call: _Call, peer: Peer) -> None:
        super().__init__()
        self.call = call
        self.truncated = False
        self._peer = peer
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = self._next()
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def drain(self) -> None:
        """Reads what is left, which ends the call."""
        while self._next() is not None:
            pass

    def _next(self) -> bytes | None:
        try:
            reply = next(self.call)
        except StopIteration:
            return None
        except grpc.RpcError as error:
            raise _translated(error, self._peer) from error
        self.truncated = self.truncated or reply.truncated
        return bytes(reply.arrow_ipc)


def _translated(error: grpc.RpcError, peer: Peer, whose: str = "a viewer's") -> SteelyardError:
    code, details, address = error.code(), error.details() or "", peer.address
    if code is grpc.StatusCode.CANCELLED:
        return Cancelled("cancelled")
    if code in _REFUSED:
        return StoreError(details, name=code.name)
    if code in _ACCESS:
        return TransportError(
            f"the collector at {address} refuses access: {details or code.name}; "
            f"give {whose} token with --token-file, STEELYARD_TOKEN or client.toml"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        if trouble := peer.trouble(details):
            return TransportError(f"the collector at {address}: {trouble}")
        return TransportError(
            f"no collector answers at {address} ({_short(details)}); start one with `steelyard-collector daemon`, "
            "or everything for this machine with `steelyard local`; or name another with --collector host:port"
        )
    return TransportError(f"the collector at {address} failed: {code.name}: {details}")


def _short(details: str) -> str:
    """The last clause of grpc's chain of causes, which is the one that means something to people."""
    return details.rsplit("; ", 1)[-1].rsplit(": ", 1)[-1].strip(" ]") or "no reason given"
