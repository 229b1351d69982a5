"""Profile windows as the search for slow ranks asks for them: for the link's signal, and to confirm a cause."""

from collections.abc import Collection

from steelyard_collector.store.base import Store
from steelyard_collector.store.statements import statement
from steelyard_efficiency.straggler_windows import Window


def windows_of(store: Store, job: str, devices: Collection[int], from_ms: int, to_ms: int) -> list[Window]:
    """The windows of these devices in a job, oldest first.

    Raises:
        StoreError: the store can't be read.
    """
    sql = statement(
        "queries",
        "straggler_windows",
        job=quoted(job),
        devices=", ".join(map(str, devices)),
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return [
        Window(
            device=int(row["device_id"]),
            ts_ms=int(row["ts_ms"]),
            profile=row["profile"],
            profiler=row["profiler"],
            compute=row["compute"],
            idle=row["idle"],
            collectives=dict(zip(row["kinds"], row["shares"], strict=True)),
        )
        for row in store.query(sql).to_pylist()
    ]


def quoted(job: str) -> str:
    """A job's name, which is anybody's text, in SQL."""
    return f"unhex('{job.encode().hex()}')"
