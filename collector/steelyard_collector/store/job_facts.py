"""What jobs train, kept as a row a job: every figure is joined with it, and what it follows from is wide to plan."""

from collections.abc import Iterable
from typing import Final

from steelyard_collector.store.base import Store
from steelyard_collector.store.client import quoted
from steelyard_collector.store.rollup import ROLL_SETTINGS
from steelyard_collector.store.statements import statement

_COLUMNS: Final = (
    "job", "run", "origin", "network", "model_key", "workload", "workload_absent", "sequence_length", "precision",
    "task", "flops_per_token", "flops_absent", "price_per_device_hour", "currency", "recompute", "data_parallel",
    "tensor_parallel", "pipeline_parallel", "global_batch", "software", "told_ts",
)  # fmt: skip
# More jobs than these are done with all others: the text of a statement has a limit.
_MOST_LISTED: Final = 1000


def put_facts(store: Store, jobs: Iterable[str], ver: int) -> None:
    """Makes the facts of these jobs anew.

    Raises:
        StoreError: ClickHouse refused.
    """
    names = sorted(jobs)
    where = f"job IN ({', '.join(map(quoted, names))})" if len(names) <= _MOST_LISTED else "1"
    _put(store, where, ver)


def put_all_facts(store: Store, ver: int) -> None:
    """The same for every job that is known."""
    _put(store, "1", ver)


def _put(store: Store, where: str, ver: int) -> None:
    columns = ", ".join(_COLUMNS)
    store.command(statement("queries", "put_job_facts", columns=columns, jobs=where, ver=ver, settings=ROLL_SETTINGS))
