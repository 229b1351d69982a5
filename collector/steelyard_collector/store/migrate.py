"""Applies the numbered migrations: one statement each, additive and repeatable, so a kill in between is harmless."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from steelyard_collector.store.base import STORE_DATABASE, Store
from steelyard_collector.store.statements import names, statement
from steelyard_proto.errors import StoreError

_SHARD = re.compile(r"^-- shard by (.+)$", re.MULTILINE)
# Of tables; a server that is older has no such setting, and nothing to switch off.
_NEEDS = re.compile(r"^-- needs the settings (.+)$", re.MULTILINE)
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\S+)_local ")


@dataclass(frozen=True, slots=True)
class Topology:
    """Where the tables lie: one place, or a cluster of this name."""

    cluster: str = ""

    @property
    def placeholders(self) -> dict[str, str]:
        """The only three substitutions that migrations know."""
        if not self.cluster:
            return {"on_cluster": "", "replicated": "", "local": ""}
        return {"on_cluster": f"ON CLUSTER '{self.cluster}'", "replicated": "Replicated", "local": "_local"}


EMBEDDED = Topology()


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered file; `checksum` is of the file, before any substitution, `needs` are the tables' settings in it."""

    id: int
    name: str
    checksum: str
    statements: tuple[str, ...]
    needs: frozenset[str] = frozenset()


def migrations(topology: Topology) -> Iterator[Migration]:
    """All that this version ships, by rising number."""
    for name in names("migrations"):
        text = statement("migrations", name, on_cluster="${on_cluster}", replicated="${replicated}", local="${local}")
        sql = statement("migrations", name, **topology.placeholders)
        checksum = hashlib.sha256(text.encode()).hexdigest()
        needed = _NEEDS.search(text)
        needs = frozenset(needed.group(1).split(", ") if needed else ())
        yield Migration(int(name[:4]), name, checksum, (sql, *_distributed(sql, topology)), needs)


def _distributed(sql: str, topology: Topology) -> tuple[str, ...]:
    """On a cluster each table stands under its public name as a Distributed one over the local ones."""
    table = _TABLE.search(sql)
    if not topology.cluster or table is None:
        return ()
    shard = _SHARD.search(sql)
    if shard is None:
        raise StoreError(f"the migration of {table.group(1)} doesn't say `-- shard by`", name="BAD_MIGRATION")
    database, _, name = table.group(1).partition(".")
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.{name} ON CLUSTER '{topology.cluster}' AS {database}.{name}_local "
        f"ENGINE = Distributed('{topology.cluster}', '{database}', '{name}_local', {shard.group(1)})",
    )


def migrate(store: Store, topology: Topology = EMBEDDED) -> list[str]:
    """Applies what is missing and returns its names; what needs a newer ClickHouse waits for that.

    Raises:
        StoreError: a migration that was applied has another text now or is not known, or ClickHouse refuses one.
    """
    applied = _applied(store)
    shipped = list(migrations(topology))
    if newer := sorted(applied.keys() - {migration.id for migration in shipped}):
        raise StoreError(
            f"the store {store.dsn} was written by a newer Steelyard (migration {newer[-1]}, this version knows up to "
            f"{shipped[-1].id}); run that version, or choose another store",
            name="STORE_TOO_NEW",
        )
    done: list[Migration] = []
    settings = _table_settings(store, {name for migration in shipped for name in migration.needs})
    for migration in shipped:
        known = applied.get(migration.id)
        if known is not None and known != migration.checksum:
            raise StoreError(
                f"migration {migration.name} was applied with another text; "
                "restore the file and add a new migration instead",
                name="MIGRATION_CHANGED",
            )
        if known is None and migration.needs <= settings:
            for sql in migration.statements:
                store.command(sql)
            done.append(migration)
    if done:
        _record(store, done)
    return [migration.name for migration in done]


def _table_settings(store: Store, wanted: set[str]) -> set[str]:
    """Which of these settings of tables this ClickHouse knows."""
    known = store.query("SELECT name FROM system.merge_tree_settings")["name"].to_pylist()
    return wanted.intersection(known)


def _applied(store: Store) -> dict[int, str]:
    exists = store.query(
        "SELECT count() AS n FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'",
        {"database": STORE_DATABASE},
    )
    if not exists["n"][0].as_py():
        return {}
    rows = store.query(f"SELECT id, checksum FROM {STORE_DATABASE}.schema_migrations FINAL")  # noqa: S608
    return {row["id"]: row["checksum"] for row in rows.to_pylist()}


def _record(store: Store, done: list[Migration]) -> None:
    block = pa.table(
        {
            "id": pa.array([m.id for m in done], pa.uint32()),
            "name": [m.name for m in done],
            "checksum": [m.checksum for m in done],
        }
    )
    store.insert("schema_migrations", block, token=f"migrations-{done[0].id}-{done[-1].id}")
