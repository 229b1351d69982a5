"""Which migrations are applied, and when."""

import pyarrow as pa

from steelyard_collector.store.migrate import EMBEDDED, migrate, migrations


class RecordingStore:
    """Answers what migrating asks, and remembers what it was told."""

    dsn = "memory://"

    def __init__(self, settings: set[str]) -> None:
        self.settings = settings
        self.commands: list[str] = []
        self.applied = pa.table({"id": pa.array([], pa.uint32()), "checksum": pa.array([], pa.string())})

    def query(self, sql: str, _parameters: object = None) -> pa.Table:
        if "merge_tree_settings" in sql:
            return pa.table({"name": sorted(self.settings)})
        if "system.tables" in sql:
            return pa.table({"n": [min(1, self.applied.num_rows)]})
        return self.applied

    def command(self, sql: str) -> None:
        self.commands.append(sql)

    def insert(self, table: str, block: pa.Table, *, token: str) -> None:
        assert table == "schema_migrations", token
        self.applied = pa.concat_tables([self.applied, block.select(["id", "checksum"])])


def test_what_needs_a_newer_clickhouse_waits_for_it() -> None:
    shipped = {migration.name: migration for migration in migrations(EMBEDDED)}
    waiting = {name for name, migration in shipped.items() if migration.needs}
    assert waiting
    store = RecordingStore({"index_granularity"})
    assert set(migrate(store)) == shipped.keys() - waiting  # type: ignore[arg-type]
    assert not any(name in sql for sql in store.commands for name in ("auto_statistics_types =", "substreams"))
    assert migrate(store) == []  # type: ignore[arg-type]
    store.settings |= {name for migration in shipped.values() for name in migration.needs}
    assert set(migrate(store)) == waiting  # type: ignore[arg-type]
    assert migrate(store) == []  # type: ignore[arg-type]
