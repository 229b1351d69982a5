"""The store on a ClickHouse server, over its HTTP interface."""

from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
import pyarrow as pa

from steelyard_collector.store.client import ClickhouseStore, Client, Settings, ipc_stream
from steelyard_collector.store.failures import as_store_error
from steelyard_proto.errors import ConfigError

HTTP_PORT = 8123
HTTPS_PORT = 8443


class ServerStore(ClickhouseStore):
    """`clickhouse://user:password@host:port/?secure=1&cluster=NAME`."""

    def __init__(self, dsn: str) -> None:
        """Connects.

        Raises:
            ConfigError: the DSN names no host.
            StoreError: the server can't be reached or refuses.
        """
        parts = urlsplit(dsn)
        if not parts.hostname:
            raise ConfigError(f"{dsn!r} names no host; write clickhouse://user:password@host:port/", key="store")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._secure = parts.scheme in ("clickhouses", "https") or options.get("secure", "0") in ("1", "true")
        self._host = parts.hostname
        self._port = parts.port or (HTTPS_PORT if self._secure else HTTP_PORT)
        self._user = unquote(parts.username or "default")
        self._password = unquote(parts.password or "")
        self.cluster = options.get("cluster", "")
        shown = f"clickhouse://{self._user}@{self._host}:{self._port}/"
        super().__init__(shown, self._connect)
        self._clients.mine()

    def _connect(self, settings: Settings) -> Client:
        return clickhouse_connect.get_client(
            host=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            interface="https" if self._secure else "http",
            settings=settings,
            autogenerate_session_id=False,
            query_retries=0,
        )

    def _insert_arrow(self, target: str, block: pa.Table, settings: Settings) -> None:
        quorum: Settings = {"insert_quorum": "auto"} if self.cluster else {}
        table, _, columns = target.partition(" ")
        names = [name.strip().strip("`") for name in columns.strip("()").split(",")]
        with as_store_error():
            self._clients.mine().raw_insert(
                table,
                column_names=names,
                insert_block=bytes(ipc_stream(block)),
                settings=dict(settings | quorum),
                fmt="Arrow",
            )

    def free_bytes(self) -> int:
        """Free space of the disk that is the server's first."""
        free = self.query(
            "SELECT toUInt64(free_space) AS free FROM system.disks ORDER BY name = 'default' DESC LIMIT 1"
        )
        return int(free["free"][0].as_py())
