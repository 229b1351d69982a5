"""A DSN to a store that is ready: connected and migrated, with its views."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from steelyard_collector.store.base import Store
from steelyard_collector.store.chdb import ChdbStore
from steelyard_collector.store.chips import put_chips
from steelyard_collector.store.migrate import EMBEDDED, Topology, migrate
from steelyard_collector.store.server import ServerStore
from steelyard_collector.store.views import create_views
from steelyard_proto.chips import ChipTable, load_chips
from steelyard_proto.errors import ConfigError, StoreError


def connect(dsn: str) -> tuple[Store, Topology]:
    """Connects and changes nothing.

    Raises:
        ConfigError: the DSN is of neither form.
        TransportError: no server answers there.
        StoreError: the store is in use, or refuses.
    """
    scheme = urlsplit(dsn).scheme
    if scheme == "chdb":
        path = unquote(urlsplit(dsn).path)
        if not path.startswith("/") or path == "/":
            raise ConfigError(f"{dsn!r} names no directory; write chdb:///var/lib/steelyard", key="store.dsn")
        return ChdbStore(Path(path)), EMBEDDED
    if scheme in ("clickhouse", "clickhouses"):
        server = ServerStore(dsn)
        return server, Topology(server.cluster)
    # The rest may hold a password.
    raise ConfigError(
        f"{scheme + ':...' if scheme else dsn!r} is no store; write chdb:///DIR or clickhouse://user:password@host:port/",
        key="store.dsn",
    )


def open_store(dsn: str, chips: ChipTable | None = None) -> Store:
    """Connects, applies what is missing of the migrations, makes the views anew and writes the chip table.

    Args:
        dsn: `chdb:///DIR`, or `clickhouse://user:password@host:port/?secure=1&cluster=NAME`.
        chips: the chips with their peaks; the shipped ones if none are given.

    Raises:
        ConfigError: the DSN is of neither form.
        TransportError: no server answers there.
        StoreError: the store is in use, refuses, or holds a migration that has changed since.
    """
    store, topology = connect(dsn)
    try:
        migrate(store, topology)
        store.hold()
        create_views(store, topology)
        store.load_fleet()
        put_chips(store, chips or load_chips())
    except StoreError:
        store.close()
        raise
    return store
