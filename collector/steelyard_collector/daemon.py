"""Wires the collector's parts together, and owns their start, their clocks and their end."""

import asyncio
import gc
import logging
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import grpc
import grpc.aio
from grpc_health.v1 import _async as health_async
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from steelyard_collector.access.doors import check_doors, grpc_credentials, http_context, parse_address
from steelyard_collector.access.readable import ReadableRequests
from steelyard_collector.access.tokens import OPERATORS, READERS, WRITERS, Tokens, read_tokens
from steelyard_collector.control.desk import Desk
from steelyard_collector.control.pause import PauseSwitch, read_pause
from steelyard_collector.control.service import ControlService
from steelyard_collector.ingest.registry import Registry
from steelyard_collector.ingest.resume import load
from steelyard_collector.ingest.service import MAX_MESSAGE_BYTES, IngestService
from steelyard_collector.ingest.writer import Commits, Writer, WriterLimits
from steelyard_collector.live.watch import LiveViews
from steelyard_collector.observe import Observer, last_recorded_ms
from steelyard_collector.settings import Settings
from steelyard_collector.shares.asking import ShareAsker
from steelyard_collector.shares.keeper import ShareKeeper
from steelyard_collector.shares.ledger import Ledger
from steelyard_collector.shares.sources import Sources
from steelyard_collector.sql.handlers import add_query_service
from steelyard_collector.sql.http import HttpDoor, serve_http
from steelyard_collector.sql.pool import ReaderPool
from steelyard_collector.sql.service import QueryService
from steelyard_collector.store.base import Store
from steelyard_collector.store.open import open_store
from steelyard_collector.upkeep import Upkeep
from steelyard_proto.chips import ChipTable, load_chips
from steelyard_proto.errors import ConfigError, SteelyardError, TransportError
from steelyard_proto.v1 import control_pb2_grpc

log = logging.getLogger(__name__)

_OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    # Probing the bandwidth doubles the cost of a quiet connection.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1 << 20),
    # At its default of 1,000 the core drops streams when a fleet reconnects at once.
    ("grpc.server.max_pending_requests", 30_000),
    ("grpc.server.max_pending_requests_hard_limit", 40_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES + (1 << 16)),
    ("grpc.max_concurrent_streams", 100_000),
    ("grpc.optimization_target", "throughput"),
    # Two collectors on one port would each get half of the fleet.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
)
# A fleet's registry is millions of objects that live on and hold no cycles: looking through all of them as often as by
# default is an eighth of the event loop's time, and stops it for seconds.
_GC_THRESHOLDS: Final = (20_000, 50, 100)
_STOP_S: Final = 4.0
_OBSERVE_S: Final = 5.0


@dataclass(slots=True)
class _Parts:
    """What runs, to be stopped in the reverse order."""

    store: Store
    writer: Writer
    ingest: IngestService
    views: LiveViews
    upkeep: Upkeep
    observer: Observer
    ledger: Ledger
    control: ControlService


def run_daemon(settings: Settings, say: Callable[[str], None]) -> int:
    """Serves until SIGTERM or SIGINT, then commits what was accepted.

    Args:
        settings: what to run with.
        say: takes the lines for a person, the addresses first.

    Raises:
        ConfigError: a setting is wrong, or would open the collector to strangers.
        StoreError: the store is in use or can't be reached.
        TransportError: an address is taken.
    """
    check_doors(settings)
    _raise_file_limit()
    gc.set_threshold(*_GC_THRESHOLDS)
    store = open_store(_dsn(settings), _chips(settings))
    try:
        return asyncio.run(_serve(settings, store, say))
    finally:
        store.close()


def _chips(settings: Settings) -> ChipTable:
    return load_chips(Path(settings.chips) if settings.chips else None)


def _dsn(settings: Settings) -> str:
    # chdb://relative/dir is what people write; the store itself asks for an absolute path.
    scheme, _, rest = settings.store_dsn.partition("://")
    if scheme == "chdb" and rest and not rest.startswith("/"):
        return f"chdb://{Path(rest).absolute()}"
    return settings.store_dsn


async def _serve(settings: Settings, store: Store, say: Callable[[str], None]) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    failures: list[Exception] = []

    def fail(error: Exception) -> None:
        failures.append(error)
        loop.call_soon_threadsafe(stop.set)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    parts = _build(settings, store, loop, fail)
    pool = ReaderPool(store)
    tokens = read_tokens(Path(settings.access_tokens) if settings.access_tokens else None)
    query = QueryService(pool, parts.views, tokens.allow(READERS), ShareAsker(parts.ledger, _chips(settings)))
    server, health_service = _server(parts, query)
    address, http = await _open_doors(server, pool, settings, tokens)
    parts.writer.start()
    parts.upkeep.start()
    keeper = ShareKeeper(parts.ledger)
    keeper.start()
    say(f"listening on {address} (gRPC), store {store.dsn}")
    if http is not None:
        host = parse_address(settings.listen_http, key="listen.http").host
        say(f"listening on {host}:{http.port} (HTTP, read-only SQL)")
    _spare_lasting_objects()
    ticks = [asyncio.create_task(_acknowledge(parts)), asyncio.create_task(_observe(parts))]
    await stop.wait()
    say("stopping: committing what was accepted")
    await health_service.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    parts.ingest.drain()
    is_clean = await asyncio.to_thread(parts.writer.stop, _STOP_S)
    # What was just committed is worth an acknowledgement: it spares the agents a repeat.
    await asyncio.sleep(0)
    await parts.ingest.acknowledge()
    for tick in ticks:
        tick.cancel()
    await server.stop(0.5)
    await parts.views.close()
    if http is not None:
        await asyncio.to_thread(http.close)
    for service in (query, parts.control):
        service.close()
    await asyncio.to_thread(keeper.stop)
    await asyncio.to_thread(parts.upkeep.stop)
    pool.close()
    for failure in failures:
        # A part that has ended would leave a collector that takes data and keeps none of it.
        log.critical("ended by a fault of its own; what wasn't acknowledged is with the agents", exc_info=failure)
    return 0 if is_clean and not failures else 1


def _build(
    settings: Settings, store: Store, loop: asyncio.AbstractEventLoop, fail: Callable[[Exception], None]
) -> _Parts:
    resumed = load(store)
    registry = Registry(resumed)
    limits = WriterLimits(period_s=settings.ingest_commit_ms / 1000, queue_bytes=settings.ingest_queue_mb << 20)
    tokens = read_tokens(Path(settings.access_tokens) if settings.access_tokens else None)
    views = LiveViews(store, _unix_ms)
    services: list[IngestService] = []
    writer = Writer(
        store,
        limits,
        on_commit=lambda commits: _tell(loop, services[0], commits),
        first_flush=resumed.last_flush,
        on_failure=fail,
    )
    desk, switch = Desk(), PauseSwitch(read_pause(store), writer, _unix_ms)
    services.append(
        IngestService(
            registry,
            writer,
            authorize=tokens.allow(WRITERS),
            clock=_unix_ms,
            version=version("steelyard"),
            is_watched=lambda: views.watchers > 0,
            desk=desk,
            is_paused=lambda: switch.pause.is_paused,
        )
    )
    upkeep = Upkeep(store, settings, on_failure=fail)
    chips = _chips(settings)
    ledger = Ledger(store, chips, Sources(chips, settings.claims, settings.prices), _unix_ms)
    observer = Observer(services[0], writer, upkeep, last_recorded_ms(store))
    operators, readers = tokens.allow(OPERATORS), tokens.allow(READERS)
    control = ControlService(store, services[0].ask, desk, switch, operators=operators, readers=readers)
    return _Parts(store, writer, services[0], views, upkeep, observer, ledger, control)


def _server(parts: _Parts, query: QueryService) -> "tuple[grpc.aio.Server, health_async.HealthServicer]":
    server = grpc.aio.server(options=_OPTIONS, interceptors=(ReadableRequests(),))
    server.add_generic_rpc_handlers((parts.ingest.handler(),))
    add_query_service(query, server)
    control_pb2_grpc.add_ControlServicer_to_server(parts.control, server)  # type: ignore[no-untyped-call]
    health_service = health_async.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
    ours = ("steelyard.v1.Ingest", "steelyard.v1.Query", "steelyard.v1.Control")
    names = (*ours, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server, health_service


async def _open_doors(
    server: grpc.aio.Server, pool: ReaderPool, settings: Settings, tokens: Tokens
) -> tuple[str, HttpDoor | None]:
    """Both or none: the gRPC address, and the HTTP door if one is wanted."""
    address = await _listen(server, settings)
    try:
        return address, _listen_http(pool, settings, tokens)
    except SteelyardError:
        await server.stop(0)
        raise


async def _listen(server: grpc.aio.Server, settings: Settings) -> str:
    door = parse_address(settings.listen_grpc, key="listen.grpc")
    credentials = grpc_credentials(settings)
    try:
        if credentials is None:
            port = server.add_insecure_port(str(door))
        else:
            port = server.add_secure_port(str(door), credentials)
    except RuntimeError as error:
        raise TransportError(
            f"{door} can't be listened on; is a collector running there? Choose another --listen"
        ) from error
    if not port:
        raise ConfigError(f"{door} can't be listened on", key="listen.grpc")
    await server.start()
    return f"{door.host}:{port}"


def _listen_http(pool: ReaderPool, settings: Settings, tokens: Tokens) -> HttpDoor | None:
    if not settings.listen_http:
        return None
    door = parse_address(settings.listen_http, key="listen.http")
    try:
        return serve_http(pool, door.host, door.port, authorize=tokens.allow(READERS), tls=http_context(settings))
    except OSError as error:
        raise TransportError(f"{door} can't be listened on: {error.strerror}; choose another --http-listen") from error


def _tell(loop: asyncio.AbstractEventLoop, ingest: IngestService, commits: Commits) -> None:
    loop.call_soon_threadsafe(ingest.committed, commits)


async def _acknowledge(parts: _Parts) -> None:
    while True:
        await asyncio.sleep(1.0)
        await parts.ingest.acknowledge()


async def _observe(parts: _Parts) -> None:
    while True:
        parts.observer.record(_unix_ms())
        await asyncio.sleep(_OBSERVE_S)


def _unix_ms() -> int:
    return int(time.time() * 1000)


def _spare_lasting_objects() -> None:
    """Takes what is there now, and lives as long as the process, out of the search for cycles."""
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> None:
    """Each agent is a file; the soft limit is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 262_144) if hard != resource.RLIM_INFINITY else 262_144
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
