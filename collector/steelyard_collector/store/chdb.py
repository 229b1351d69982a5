"""The embedded store: ClickHouse inside this process, in one directory."""

import fcntl
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Final

import clickhouse_connect
import pyarrow as pa

from steelyard_collector.store.client import ClickhouseStore, Client, Settings, quoted, settings_clause, write_ipc
from steelyard_collector.store.failures import as_store_error
from steelyard_proto.errors import StoreError

LOCK_NAME = "steelyard.lock"
# Merges can wait, and those who ask can't: on two cores two merges at once made a live view a quarter of a second late.
_OPTIONS: Final = {"os_threads_nice_value_merge_mutate": 5}
_CAP_SYS_NICE: Final = 1 << 23


class ChdbStore(ClickhouseStore):
    """A directory. One process at a time: the engine and our own lock file refuse a second."""

    def __init__(self, directory: Path) -> None:
        """Opens or makes the store.

        Raises:
            StoreError: another process holds the directory, or it can't be written.
        """
        self._directory = directory
        self._may_rank = _may_rank()
        self._blocks = directory / "tmp"
        self._lock = _locked(directory)
        # What a killed collector left behind; nothing of it was committed.
        shutil.rmtree(self._blocks, ignore_errors=True)
        self._blocks.mkdir()
        self._data = directory / "data"
        super().__init__(f"chdb://{directory}", self._connect)
        try:
            self._clients.mine()
        except StoreError:
            os.close(self._lock)
            raise

    @property
    def stands_back(self) -> bool:
        """See base.Store."""
        return self._may_rank

    def _connect(self, settings: Settings) -> Client:
        # What a thread that stands back asks for is done below ingest too.
        own = self._standing_back(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return clickhouse_connect.get_client(
            interface="chdb", path=str(self._data), settings=own | settings, chdb_options=_OPTIONS
        )

    def _standing_back(self, nice: int) -> Settings:
        return {"os_threads_nice_value_query": nice} if nice > 0 else {}

    def _insert_arrow(self, target: str, block: pa.Table, settings: Settings) -> None:
        # A file of our own inside the store: its size counts against the same disk.
        try:
            with tempfile.NamedTemporaryFile(dir=self._blocks, suffix=".arrow") as file:
                write_ipc(block, file)
                file.flush()
                source = f"FROM INFILE {quoted(file.name)} SETTINGS {settings_clause(settings)} FORMAT Arrow"
                with as_store_error():
                    self._clients.mine().command(f"INSERT INTO {target} {source}")
        except OSError as error:
            # Also from closing the file, which tries once more to write.
            raise StoreError(
                f"{self._directory}: {error.strerror}; make room there, or keep less with --retention or --max-disk",
                name="STORE_UNUSABLE",
            ) from error

    def hold(self) -> None:
        """Does nothing: the directory is held from its opening on."""

    def free_bytes(self) -> int:
        """Free space of the file system that the store lies in."""
        return shutil.disk_usage(self._directory).free

    def close(self) -> None:
        """Closes the engine, then lets the directory go."""
        super().close()
        os.close(self._lock)


def _may_rank() -> bool:
    """Whether this process may give its threads back the rank that they had: CAP_SYS_NICE, see capabilities(7)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) & _CAP_SYS_NICE)
    return False


def _locked(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreError(
            f"{directory}: {error.strerror}; choose another directory with --store chdb:///DIR", name="STORE_UNUSABLE"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "another process"
        os.close(descriptor)
        raise StoreError(
            f"{directory} is in use by process {holder}; stop it, or choose another directory with --store chdb:///DIR",
            name="STORE_IN_USE",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
