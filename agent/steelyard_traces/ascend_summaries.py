"""What an export sums up itself beside its kernels: types of operators, steps, and what its collectives waited for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from steelyard_proto.errors import TraceError
from steelyard_traces.csv_table import read_csv
from steelyard_traces.decimal_time import nanoseconds
from steelyard_traces.profile import Work
from steelyard_traces.trace_file import open_trace

_TABLES: Final = ("op_statistic", "api_statistic", "step_trace", "operator_details", "communication_statistic")
_DOCUMENTS: Final = ("communication.json", "communication_matrix.json")
_STATISTIC: Final = {"type": ("OP Type",), "total": ("Total Time(us)",)}
_TOTAL: Final = "Total Op Info"
_AGREE_NS: Final = 1_000
_MOST_BYTES: Final = 256 << 20


@dataclass(slots=True)
class Collectives:
    """Sums over all collectives and point-to-point calls of an export.

    Attributes:
        elapsed_ns: from their begins to their ends.
        transit_ns: while they moved data.
        wait_ns: while they waited for other ranks.
        links: of each kind of link the bytes moved and the time it took.
    """

    count: int = 0
    elapsed_ns: int = 0
    transit_ns: int = 0
    wait_ns: int = 0
    links: dict[str, tuple[int, int]] = field(default_factory=dict)


def refuse_summary(path: Path) -> None:
    """Says what to name instead of a table of sums, which has no times of kernels in it."""
    if path.name in _DOCUMENTS or (path.suffix == ".csv" and path.name.startswith(_TABLES)):
        raise TraceError(
            "sums alone, without the times of kernels; name the folder that it lies in, or the kernel_details.csv, "
            "op_summary_*.csv or trace_view.json there",
            path=str(path),
        )


def read_collectives(path: Path) -> Collectives:
    """Reads `communication.json`.

    Raises:
        TraceError: it is no JSON, or too large.
    """
    with open_trace(path) as text:
        data = text.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise text.error(f"more than {_MOST_BYTES >> 20} MiB of sums; export fewer steps")
    try:
        told = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TraceError(f"no JSON ({error}); export it again", path=str(path)) from error
    sums = Collectives()
    for step in _rows(told):
        for group in _rows(step):
            for name, operation in group.items():
                if name != _TOTAL and isinstance(operation, dict):
                    _add(sums, operation)
    return sums


def summary_notes(folder: Path, types: Sequence[Work], communication_ns: int) -> Iterator[str]:
    """What the summaries tell beside the kernels, and where they say something else."""
    collectives = folder / "communication.json"
    try:
        yield from _types_differ(sorted(folder.glob("op_statistic*.csv")), types)
        if collectives.is_file():
            yield from _of_collectives(read_collectives(collectives), communication_ns)
    except TraceError as error:
        yield f"{Path(error.path).name} was left out: {error.reason}"


def _of_collectives(sums: Collectives, communication_ns: int) -> Iterator[str]:
    if not sums.count:
        return
    rest_ns = sums.elapsed_ns - sums.transit_ns - sums.wait_ns
    yield (
        f"{sums.count} collective{'s' * (sums.count > 1)} took {_ms(sums.elapsed_ns)} ms: "
        f"{_ms(sums.transit_ns)} moved data, {_ms(sums.wait_ns)} waited for other ranks, {_ms(rest_ns)} neither"
    )
    for link, (size_bytes, time_ns) in sums.links.items():
        if size_bytes and time_ns:
            yield f"{link} moved {size_bytes / 1e6:,.1f} MB at {size_bytes / time_ns:.1f} GB/s"
    # The table has whole nanoseconds and the summary has not, so they may differ by one a collective.
    if abs(sums.elapsed_ns - communication_ns) > _AGREE_NS + sums.count:
        yield f"communication.json says {_ms(sums.elapsed_ns)} ms of them, the kernels {_ms(communication_ns)} ms"


def _types_differ(paths: Sequence[Path], types: Sequence[Work]) -> Iterator[str]:
    theirs: dict[str, int] = {}
    for path in paths:
        for row in read_csv(path, _STATISTIC, {}):
            theirs[row["type"]] = theirs.get(row["type"], 0) + (nanoseconds(row["total"]) or 0)
    ours: dict[str, int] = {}
    for work in types:
        ours[work.name] = ours.get(work.name, 0) + work.total_ns
    differing = [name for name, ns in theirs.items() if abs(ours.get(name, 0) - ns) > _AGREE_NS]
    if differing:
        name = max(differing, key=lambda one: abs(ours.get(one, 0) - theirs[one]))
        more = f" ({len(differing)} types differ)" if len(differing) > 1 else ""
        yield f"{paths[0].name} says {_ms(theirs[name])} ms of {name}, the kernels {_ms(ours.get(name, 0))} ms{more}"


def _add(sums: Collectives, operation: Mapping[str, Any]) -> None:
    times = operation.get("Communication Time Info")
    if not isinstance(times, dict):
        return
    sums.count += 1
    sums.elapsed_ns += _whole(times.get("Elapse Time(ms)"))
    sums.transit_ns += _whole(times.get("Transit Time(ms)"))
    sums.wait_ns += _whole(times.get("Wait Time(ms)"))
    links = operation.get("Communication Bandwidth Info")
    for link, told in links.items() if isinstance(links, dict) else ():
        if isinstance(told, dict):
            size_bytes, time_ns = sums.links.get(link, (0, 0))
            # Megabytes are a million times smaller than bytes, as milliseconds are than nanoseconds.
            size_bytes += _whole(told.get("Transit Size(MB)"))
            sums.links[link] = (size_bytes, time_ns + _whole(told.get("Transit Time(ms)")))


def _rows(told: Any) -> list[dict[str, Any]]:
    return [one for one in told.values() if isinstance(one, dict)] if isinstance(told, dict) else []


def _whole(value: Any) -> int:
    """A decimal number of millions as a whole number; 0 for what is none."""
    if not isinstance(value, int | float) or abs(value) >= 2**40 or value != value:
        return 0
    return int(Decimal(str(value)).scaleb(6).to_integral_value())


def _ms(ns: int) -> str:
    return f"{ns / 1e6:,.3f}"
