"""What the comparison screen shows, as data: live figures of each chip, its share of a reference, and the claims."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from steelyard_tui.client import Client, WatchQuery
from steelyard_tui.history import RATE_WINDOW, History, read_rates
from steelyard_tui.present.fleet import Key, key_of
from steelyard_tui.queries import read_query
from steelyard_tui.workloads import main_workload, of_main

Row = Mapping[str, Any]

_MOST_CHIPS: Final = 200
_RECENT_MS: Final = 300_000
# Public figures are mostly told against this one.
_USUAL: Final = "H100"


@dataclass(frozen=True, slots=True)
class Metric:
    """What a share is of.

    Attributes:
        name: for pickers.
        quantity: of the view shares.
        mode: "as run" matches jobs whatever their precision.
        title: in words.
    """

    name: str
    quantity: str
    mode: str
    title: str


METRICS: Final = (
    Metric("rate", "tokens_per_s_device", "matched", "tokens/s per device"),
    Metric("energy", "tokens_per_j", "matched", "tokens per joule"),
    Metric("cost", "cost_per_mtoken", "matched", "cost per million tokens"),
    Metric("rate as run", "tokens_per_s_device", "as run", "tokens/s per device AS RUN, whatever the precision"),
)


@dataclass(frozen=True, slots=True)
class ShareWindow:
    """A window that shares are kept for.

    Attributes:
        name: in the view shares.
        title: in words.
    """

    name: str
    title: str


WINDOWS: Final = (ShareWindow("1h", "1 h"), ShareWindow("24h", "24 h"), ShareWindow("7d", "7 d"))


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the collector says of the shares against one reference over one window.

    Attributes:
        shares: of the view shares: the shown interval of each chip, quantity, mode and unit, and each workload's.
        claims: of the view claims.
        jobs: that run now, the oldest first; None until they have been read.
        recent: figures of the newest minutes by chip and workload.
        workload: the one that rates are compared in; empty where none is known.
        rates: its tokens/s per device of each minute.
        is_read: whether the collector has answered at all.
        fault: why there is nothing, in the collector's words.
    """

    reference: str
    window: ShareWindow
    shares: Sequence[Row] = ()
    claims: Sequence[Row] = ()
    jobs: Sequence[Row] | None = None
    recent: Sequence[Row] = ()
    workload: str = ""
    rates: Mapping[Key, History] = field(default_factory=dict)
    is_read: bool = False
    fault: str = ""

    def share(self, chip: "Chip", metric: Metric, unit: str = "device") -> Row | None:
        """The share that is shown of a chip; None where the collector has said nothing of it."""
        return next(self._of(chip, metric, unit, "all"), None)

    def workloads(self, chip: "Chip", metric: Metric) -> list[Row]:
        """The same for each workload alone."""
        return list(self._of(chip, metric, "device", "workload"))

    def _of(self, chip: "Chip", metric: Metric, unit: str, scope: str) -> Iterator[Row]:
        wanted = (chip.name, chip.origin, metric.quantity, metric.mode, unit, scope)
        names = ("chip", "origin", "quantity", "mode", "unit", "scope")
        return (row for row in self.shares if tuple(row[name] for name in names) == wanted)


@dataclass(frozen=True, slots=True)
class Chip:
    """One kind of device of one origin.

    Attributes:
        row: of fleet_live, and the figures of efficiency_live over it.
        share: in the metric that is shown; None for the reference and where the collector has said nothing.
        is_reference: whether it is what is 1.
    """

    row: Row
    share: Row | None = None
    is_reference: bool = False

    @property
    def name(self) -> str:
        """The chip; empty where the chip table doesn't know it."""
        return str(self.row.get("chip") or "")

    @property
    def origin(self) -> str:
        """Measured, replayed or simulated."""
        return str(self.row.get("origin") or "")

    @property
    def ratio(self) -> float | None:
        """Its share; None where there is none."""
        return 1.0 if self.is_reference else None if self.share is None else self.share["ratio"]

    @property
    def trains(self) -> bool:
        """Whether any figure of a training is known of it now."""
        return any(self.row.get(name) is not None for name in ("tokens_per_s_device", "step_p50_s", "ofu", "mfu"))


# Of efficiency_live; its other columns stand in fleet_live too, where they count all devices.
_FIGURES: Final = (
    "workload", "workloads", "tokens_origin", "tokens_absent", "tokens_per_s_device", "tokens_per_s_package",
    "tflops_per_device", "mfu", "mfu_basis", "mfu_absent", "share_of_ceiling", "ofu", "ofu_validated", "ofu_absent",
    "tokens_per_j", "energy_coverage", "cost_per_mtoken", "currency", "step_p50_s", "step_p95_s", "step_p99_s",
    "goodput", "unlike",
)  # fmt: skip


def chips_of(fleet: Iterable[Row], live: Mapping[Key, Row], weighed: Weighed, metric: Metric) -> list[Chip]:
    """Every kind of device, the best share first, then those without one.

    Args:
        fleet: rows of fleet_live.
        live: rows of efficiency_live by key.
        weighed: the shares.
        metric: what they are of.
    """
    found: list[Chip] = []
    for row in fleet:
        key = key_of(row)
        recent = (one for one in weighed.recent if key_of(one) == key)
        own = of_main(live[key], recent, weighed.workload) if key in live else {}
        chip = Chip({**row, **{name: own[name] for name in _FIGURES if name in own}})
        is_reference = chip.name == weighed.reference != ""
        found.append(Chip(chip.row, None if is_reference else weighed.share(chip, metric), is_reference))
    # Where a part of the reference's origins has no job, nothing stands beside it: it still is what is 1.
    falling = -1.0 if metric.quantity != "cost_per_mtoken" else 1.0
    return sorted(
        found,
        key=lambda chip: (
            chip.ratio is None,
            falling * (chip.ratio or 0.0),
            not chip.trains,
            chip.origin,
            key_of(chip.row),
        ),
    )


def references_of(fleet: Iterable[Row]) -> list[str]:
    """The chips that may be a reference: those whose name is known."""
    return sorted({str(row["chip"]) for row in fleet if row.get("chip")})


def usual_reference(fleet: Sequence[Row]) -> str:
    """What is 1 until somebody chooses: the H100, else the chip with most devices; empty where no name is known."""
    named = [row for row in fleet if row.get("chip")]
    if any(row["chip"] == _USUAL for row in named):
        return _USUAL
    largest = max(named, key=lambda row: (row.get("devices") or 0, str(row["chip"])), default=None)
    return "" if largest is None else str(largest["chip"])


def read_live(client: Client) -> dict[Key, Row]:
    """The efficiency of each chip over the newest minutes.

    Raises:
        SteelyardError: the collector refuses it, or can't be reached.
    """
    table = client.read_view(WatchQuery("efficiency_live", filter="scope=chip", limit=_MOST_CHIPS)).table
    return {key_of(row): row for row in table.to_pylist()}


def read_weighed(client: Client, reference: str, window: ShareWindow) -> Weighed:
    """The kept shares and claims; raises like `read_live`."""
    parameters = {"window": window.name, "reference": reference}
    return Weighed(
        reference=reference,
        window=window,
        shares=client.sql(read_query("compare_shares"), parameters).table.to_pylist(),
        claims=client.sql(read_query("compare_claims"), {"window": window.name}).table.to_pylist(),
        is_read=True,
    )


def with_past(client: Client, weighed: Weighed, now_ms: int, *, with_rates: bool) -> Weighed:
    """The same with what runs and, where wanted, the past minutes; raises like `read_live`."""
    jobs = client.sql(read_query("compare_jobs")).table.to_pylist()
    # As far back as efficiency_live reaches, in whole minutes.
    from_ms = now_ms // 60_000 * 60_000 - _RECENT_MS
    recent = client.sql(read_query("compare_workloads"), {"from_ms": str(from_ms)}).table.to_pylist()
    workload = main_workload(recent, weighed.reference)
    rates = read_rates(client, workload, RATE_WINDOW, now_ms) if with_rates else {}
    return replace(weighed, jobs=jobs, recent=recent, workload=workload, rates=rates)
