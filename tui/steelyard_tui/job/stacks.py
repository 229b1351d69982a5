"""The stacks of one of a job's windows, by kind."""

from typing import TYPE_CHECKING, Final

from steelyard_tui.flame.shown import Shown
from steelyard_tui.flame.tree import Weighted
from steelyard_tui.job.page import Row
from steelyard_tui.present.job_profiles import window_title
from steelyard_tui.queries import read_query

if TYPE_CHECKING:
    from steelyard_tui.client import Client

# What a profile has, best first: work of the device under its callers, the host's own time, what py-spy saw.
_KINDS: Final = ("device", "host", "sampled")


def read_stacks(client: "Client", job: str, window: Row) -> dict[str, Shown]:
    """The kinds that were recorded; sampled ones in samples, the others in nanoseconds.

    Raises:
        StoreError: the collector refuses the query.
        TransportError: it can't be reached.
    """
    ts_ms = str(round(1000 * window["ts"].timestamp()))
    parameters = {"profile": str(window["profile"]), "job": job, "from_ms": ts_ms, "to_ms": ts_ms}
    result = client.sql(read_query("profile_stacks"), parameters)
    rows = result.table.to_pylist()
    title = window_title(window) + (", its largest stacks alone" if result.truncated else "")
    found: dict[str, Shown] = {}
    for kind in _KINDS:
        is_sampled = kind == "sampled"
        of = [row for row in rows if row["kind"] == kind]
        stacks = tuple(Weighted(tuple(row["frames"]), int(row["samples" if is_sampled else "ns"] or 0)) for row in of)
        if stacks:
            found[kind] = Shown(title, stacks, "samples" if is_sampled else "ns")
    return found
