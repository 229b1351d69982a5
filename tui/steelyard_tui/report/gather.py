"""Reads what a report is made of, through the public views and the collector's comparison."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from steelyard_proto.errors import SteelyardError
from steelyard_tui.client import Client
from steelyard_tui.history import History, Window, read_fleet
from steelyard_tui.present.figures import duration
from steelyard_tui.queries import read_query

Row = Mapping[str, Any]
Tell = Callable[[str], None]

# The collector tells by minutes up to here, and by closed hours beyond: so does everything beside it.
_MOST_MINUTES_S: Final = 48 * 3600
_MOST_POINTS: Final = 170
_STEPS_S: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 4 * 3600, 12 * 3600, 86_400)


@dataclass(frozen=True, slots=True)
class Span:
    """What of the window is told: its ends, which rollup tells it, and how long the buckets of a line are.

    Attributes:
        asked_s: how long it was to be; a young fleet has less than that.
    """

    from_ts: datetime
    to_ts: datetime
    asked_s: int
    level: str
    step_s: int

    @property
    def seconds(self) -> int:
        """Its length."""
        return round((self.to_ts - self.from_ts).total_seconds())

    @property
    def parameters(self) -> dict[str, str]:
        """For the queries."""
        begin, end = (round(1000 * moment.timestamp()) for moment in (self.from_ts, self.to_ts))
        return {"level": self.level, "from_ms": str(begin), "to_ms": str(end)}


@dataclass(frozen=True, slots=True)
class Gathered:
    """Rows as they came: `shares` and `claims` of the collector, the others of the queries in `queries/`."""

    span: Span
    shares: Sequence[Row]
    claims: Sequence[Row]
    facts: Sequence[Row]
    figures: Sequence[Row]
    chips: Sequence[Row]
    jobs: Sequence[Row]
    rates: Sequence[Row]
    use: Sequence[Row]
    losses: Sequence[Row]
    spreads: Sequence[Row]
    stragglers: Sequence[Row]
    power: Mapping[tuple[str, str, str, str], History]
    faults: Sequence[str]

    @property
    def origins(self) -> list[str]:
        """Where the figures come from, in a steady order."""
        found = {str(row["origin"]) for row in (*self.figures, *self.jobs) if row["origin"]}
        return sorted(found | {key[3] for key in self.power if key[3]})


def span_of(from_ts: datetime, to_ts: datetime, asked_s: int) -> Span:
    """The part of a window of so many seconds that is told."""
    seconds = (to_ts - from_ts).total_seconds()
    level, level_s = ("1m", 60) if seconds <= _MOST_MINUTES_S else ("1h", 3600)
    step_s = next((step for step in _STEPS_S if step >= level_s and seconds / step <= _MOST_POINTS), _STEPS_S[-1])
    return Span(from_ts, to_ts, asked_s, level, step_s)


def gather(client: Client, seconds: int, tell: Tell, now: datetime) -> Gathered:
    """Everything of the window that ends now.

    Args:
        client: of the collector.
        seconds: the window's length.
        tell: is told what is being read.
        now: where the collector has compared nothing, the window ends then.

    Raises:
        SteelyardError: nothing is recorded in the window.
        StoreError: the collector refuses a query.
        TransportError: the collector can't be reached.
    """
    tell("comparing the chips")
    shares = client.compare(seconds)
    compared = _rows(shares.table)
    span = _told(compared, seconds, now)
    tell("judging claims")
    claims = client.claims(seconds)

    def ask(name: str, title: str, **more: str) -> list[Row]:
        tell(title)
        return _rows(client.sql(read_query(name), span.parameters | more).table)

    step = {"step_ms": str(1000 * span.step_s)}
    tell("the chips' figures")
    figures = _rows(client.chips(seconds).table)
    jobs = ask("report_jobs", "jobs")
    tell("power over time")
    window = Window("", span.seconds, span.level, 60 if span.level == "1m" else 3600, 7)
    power = read_fleet(client, "power_w", window, round(1000 * span.to_ts.timestamp()), span.seconds // span.step_s)
    if not jobs and not power:
        raise SteelyardError(_nothing(client, span))
    return Gathered(
        span=span,
        shares=compared,
        claims=_rows(claims.table),
        facts=ask("report_facts", "the whole"),
        figures=figures,
        chips=ask("report_chips", "energy and time"),
        jobs=jobs,
        rates=ask("report_rates", "tokens over time", **step),
        use=ask("report_use", "MFU and OFU over time", **step),
        losses=ask("report_losses", "losses", **step),
        spreads=ask("report_spread", "step times"),
        stragglers=ask("report_stragglers", "slow ranks"),
        power=power,
        faults=tuple(dict.fromkeys((*shares.faults, *claims.faults))),
    )


def _rows(table: pa.Table) -> list[Row]:
    return [{name: _present(value) for name, value in row.items()} for row in table.to_pylist()]


def _present(value: Any) -> Any:
    """None for an empty text and for a division that came to nothing: absent has one form from here on."""
    if value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def _told(compared: Sequence[Row], seconds: int, now: datetime) -> Span:
    """The collector says what part of the window its jobs tell of; where none trained, all of it is looked at."""
    if compared:
        return span_of(compared[0]["from_ts"], compared[0]["to_ts"], seconds)
    end = now.astimezone(UTC).replace(second=0, microsecond=0)
    return span_of(end - timedelta(seconds=seconds), end, seconds)


def _nothing(client: Client, span: Span) -> str:
    window = f"the {duration(span.asked_s)} to {span.to_ts:%Y-%m-%d %H:%M} UTC"
    return (
        f"nothing is recorded on {client.address} in {window}, so there is no report; try another --since, "
        "or look at `steelyard devices`"
    )
