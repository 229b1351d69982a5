"""What each picture shows, as data; plots.py draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from steelyard_tui.present.figures import chip_name

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True, order=True)
class Chip:
    """One kind of device of one origin: what a line or a bar stands for."""

    vendor: str
    name: str
    part: str
    origin: str

    @property
    def label(self) -> str:
        """As a picture names it; what isn't measured says so."""
        mark = {"simulated": " ~", "replayed": " »"}.get(self.origin, "")
        return self.name + ("" if self.part in ("package", "") else f" {self.part}") + mark


def chip_of(row: Any) -> Chip:
    """The chip that a row is of."""
    vendor = str(row.get("vendor") or "")
    name = chip_name(row.get("chip"), vendor)
    return Chip(vendor, name, str(row.get("part") or ""), str(row.get("origin") or "measured"))


@dataclass(frozen=True, slots=True)
class Mark:
    """A chip's share: the bar up to `ratio`, the interval if there is one, a dot a workload.

    Attributes:
        text: what stands beside the bar.
        note: in a smaller type below it.
    """

    chip: Chip
    ratio: float | None
    lo: float | None
    hi: float | None
    text: str
    note: str = ""
    dots: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class ShareChart:
    """Shares of a reference on one scale."""

    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Track:
    """A figure over time; None where it is absent. `is_doubtful` draws it thin: a figure of unproven meaning."""

    chip: Chip
    at_s: Sequence[float]
    values: Values
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of several chips over time, from 0 up; `of` is what it is of, in a quieter type."""

    title: str
    tracks: Sequence[Track]
    of: str = ""


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Panels over one window; `step_s` is the length of a bucket: a longer gap isn't bridged."""

    panels: Sequence[Panel]
    from_s: float
    to_s: float
    step_s: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How the step times of a chip on one workload lie about their median.

    Attributes:
        times: the middle of each bin, as a multiple of the median.
        counts: steps in it.
        p99: as a multiple of the median.
    """

    chip: Chip
    label: str
    times: Sequence[float]
    counts: Sequence[float]
    p99: float


@dataclass(frozen=True, slots=True)
class SpreadChart:
    """Spreads below one another, on one axis."""

    spreads: Sequence[Spread]


@dataclass(frozen=True, slots=True)
class Stack:
    """Shares of a chip's allocated time, in the order of the chart's `parts`."""

    chip: Chip
    shares: Sequence[float]


@dataclass(frozen=True, slots=True)
class StackChart:
    """Bars from 0 to 1, cut into parts."""

    parts: Sequence[str]
    stacks: Sequence[Stack]


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's loss over the tokens that it has trained on in the window."""

    chip: Chip
    run: str
    tokens: Sequence[float]
    losses: Sequence[float]


@dataclass(frozen=True, slots=True)
class LossPanel:
    """Runs of one model and task."""

    title: str
    curves: Sequence[Curve]


@dataclass(frozen=True, slots=True)
class LossChart:
    """Panels, each with axes of its own."""

    panels: Sequence[LossPanel]


Chart = ShareChart | TimeChart | SpreadChart | StackChart | LossChart
