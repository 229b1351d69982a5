"""The store on a ClickHouse server, over its HTTP interface."""

import io
import re
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
import pyarrow as pa

from steelyard_collector.store.client import ClickhouseStore, Client, Settings, write_ipc
from steelyard_collector.store.failures import as_store_error
from steelyard_collector.store.lease import Lease, LeaseTimes
from steelyard_proto.errors import ConfigError, StoreError, TransportError

HTTP_PORT: Final = 8123
HTTPS_PORT: Final = 8443
# It knows every setting that the inserts carry.
OLDEST_VERSION: Final = (25, 8)
_REFUSED_USER: Final = (192, 193, 194, 516)


_FORM: Final = "write clickhouse://user:password@host:port/"


class ServerStore(ClickhouseStore):
    """`clickhouse://user:password@host:port/?secure=1&cluster=NAME`."""

    def __init__(self, dsn: str, times: LeaseTimes | None = None) -> None:
        """Connects.

        Raises:
            ConfigError: the DSN names no host, or no port that is one.
            TransportError: nothing answers there.
            StoreError: the server refuses the user, or is too old.
        """
        parts = urlsplit(dsn)
        try:
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"the DSN's port is none: {error}; {_FORM}", key="store.dsn") from error
        if not parts.hostname:
            raise ConfigError(f"the DSN names no host; {_FORM}", key="store.dsn")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._secure = parts.scheme in ("clickhouses", "https") or options.get("secure", "0") in ("1", "true")
        self._host = parts.hostname
        self._port = port or (HTTPS_PORT if self._secure else HTTP_PORT)
        self._user = unquote(parts.username or "default")
        self._password = unquote(parts.password or "")
        self.cluster = options.get("cluster", "")
        shown = f"clickhouse://{self._user}@{self._host}:{self._port}/"
        super().__init__(shown, self._connect)
        self._lease = Lease(self.query, self._insert_lock, shown, times)
        self._greet()

    def _greet(self) -> None:
        try:
            version = str(self._clients.mine().server_version)
        except StoreError as error:
            where = f"{self._host}:{self._port}"
            if error.code in _REFUSED_USER:
                raise StoreError(
                    f"ClickHouse at {where} refuses the user {self._user!r} or the password; {_FORM}",
                    code=error.code,
                    name=error.name,
                ) from error
            if not error.code:
                raise TransportError(
                    f"no ClickHouse answers at {where} ({error}); start it, or choose another store with --store"
                ) from error
            raise
        numbers = [int(number) for number in re.findall(r"\d+", version)[:2]]
        if tuple(numbers) < OLDEST_VERSION:
            self.close()
            oldest = ".".join(map(str, OLDEST_VERSION))
            raise StoreError(
                f"ClickHouse at {self._host}:{self._port} is {version}; upgrade it to {oldest} or later, or choose "
                "another store with --store",
                name="SERVER_TOO_OLD",
            )

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

    def hold(self) -> None:
        """Takes the store's lock row; see base.Store."""
        self._lease.take()

    def insert(self, table: str, block: pa.Table, *, token: str) -> None:
        """See base.Store.

        Raises:
            StoreLost: another collector has taken the store.
        """
        self._lease.check()
        super().insert(table, block, token=token)

    def _insert_lock(self, row: pa.Table, token: str) -> None:
        super().insert("collector_lock", row, token=token)

    def close(self) -> None:
        """Lets the store go, then the connection."""
        self._lease.release()
        super().close()

    def _insert_arrow(self, target: str, block: pa.Table, settings: Settings) -> None:
        # A Distributed table would else answer before the shards have the rows.
        quorum: Settings = {"insert_quorum": "auto", "distributed_foreground_insert": 1} if self.cluster else {}
        table, _, columns = target.partition(" ")
        names = [name.strip().strip("`") for name in columns.strip("()").split(",")]
        body = io.BytesIO()
        write_ipc(block, body)
        with as_store_error():
            self._clients.mine().raw_insert(
                table,
                column_names=names,
                insert_block=body.getvalue(),
                settings=dict(settings | quorum),
                fmt="Arrow",
            )

    def free_bytes(self) -> int:
        """Free space of the disk that is the server's first."""
        free = self.query(
            "SELECT toUInt64(free_space) AS free FROM system.disks ORDER BY name = 'default' DESC LIMIT 1"
        )
        return int(free["free"][0].as_py())
