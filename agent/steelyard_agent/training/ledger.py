"""What one training process has told so far, and the rows that come of what it tells next."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from steelyard_agent.training.datagram import Datagram

Counts = tuple[int | None, int | None, int | None, int | None]
COUNTS: Final = ("tokens", "nonpad_tokens", "loss_tokens", "samples")
MARKS: Final = {"evaluation": "evaluate", "evaluate": "evaluate", "checkpoint": "checkpoint", "warmup": "warmup"}
# Shorter steps share a row: four rows a second show any rhythm that a person could see.
_ROW_MS: Final = 250
# The first datagrams of a process: the agent was there from its start, and what they tell is all new.
_FIRST_NUMBERS: Final = 3


@dataclass(slots=True)
class Row:
    """Steps that end at `ts_ms`; None is unknown."""

    ts_ms: int
    step: int
    steps: int
    seconds: float
    counts: Counts
    gap_s: float | None
    mark: str
    origin: str
    tokens_absent: str
    total_steps: int
    total_tokens: int | None
    total_s: float
    first_ms: int
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class _Totals:
    """Since the process's start."""

    steps: int = 0
    seconds: float = 0.0
    counts: Counts = (None, None, None, None)
    token_steps: int = 0
    marked_steps: int = 0
    marked_seconds: float = 0.0
    marked_tokens: int | None = None
    gap_s: float = 0.0


@dataclass(slots=True)
class Ledger:
    """One process. `lost` counts datagrams that never came."""

    begin_ms: int | None = None
    number: int = 0
    lost: int = 0
    rows: list[Row] = field(default_factory=list)
    _last: _Totals | None = None

    def take(self, said: Datagram, ts_ms: int) -> None:
        """Takes a step's datagram.

        Args:
            said: what it says.
            ts_ms: Unix time of the step's end.

        Raises:
            Unreadable: a figure is nonsense; nothing of the datagram is taken.
        """
        now = _totals(said)
        step_s, step_tokens = said.seconds("step_seconds"), said.count("step_tokens")
        mark = MARKS.get(said.text("mark"), "")
        before = self._last
        if before is None:
            before = _Totals() if said.number <= _FIRST_NUMBERS else _before(now, mark, step_s, step_tokens)
        elif now.steps < before.steps or now.marked_steps < before.marked_steps:
            # Another optimizer leads, so the process counts anew.
            before = _Totals()
        self._last = now
        if self.begin_ms is None:
            self.begin_ms = ts_ms - int(1000 * (now.seconds + now.marked_seconds))
        if now.marked_steps > before.marked_steps:
            self._add(_marked(now, before, ts_ms, mark or MARKS.get(said.text("last_mark"), "evaluate"), said))
        if now.steps > before.steps:
            self._add(_training(now, before, ts_ms, said))

    def note_number(self, number: int) -> None:
        """Counts the datagrams that are missing before this one."""
        if self.number and number > self.number + 1:
            self.lost += number - self.number - 1
        self.number = number

    def _add(self, row: Row) -> None:
        last = self.rows[-1] if self.rows else None
        is_near = last is not None and 0 <= row.ts_ms - last.first_ms < _ROW_MS
        if last is None or not is_near or last.mark or row.mark or last.tokens_absent != row.tokens_absent:
            self.rows.append(row)
            return
        row.first_ms = last.first_ms
        row.loss = _mean(row, last)
        row.steps += last.steps
        row.seconds += last.seconds
        row.gap_s = _sum(row.gap_s, last.gap_s)
        row.counts = tuple(_sum(a, b) for a, b in zip(row.counts, last.counts, strict=True))  # type: ignore[assignment]
        self.rows[-1] = row


def _totals(said: Datagram) -> _Totals:
    tokens = said.count("tokens")
    steps = said.count("steps") or 0
    token_steps = said.count("token_steps")
    return _Totals(
        steps=steps,
        seconds=said.seconds("seconds") or 0.0,
        counts=(tokens, said.count("nonpad_tokens"), said.count("loss_tokens"), said.count("samples")),
        token_steps=token_steps if token_steps is not None else (0 if tokens is None else steps),
        marked_steps=said.count("marked_steps") or 0,
        marked_seconds=said.seconds("marked_seconds") or 0.0,
        marked_tokens=said.count("marked_tokens"),
        gap_s=said.seconds("gap_seconds") or 0.0,
    )


def _before(now: _Totals, mark: str, step_s: float | None, step_tokens: int | None) -> _Totals:
    """The totals before the one step of a datagram, for an agent that comes to a training that is under way."""
    took_s = step_s or 0.0
    if mark:
        marked_s = max(0.0, now.marked_seconds - took_s)
        marked_tokens = None if now.marked_tokens is None else now.marked_tokens - (step_tokens or 0)
        return _Totals(
            now.steps, now.seconds, now.counts, now.token_steps, now.marked_steps - 1, marked_s, marked_tokens
        )
    tokens = None if now.counts[0] is None else max(0, now.counts[0] - (step_tokens or 0))
    token_steps = now.token_steps - (1 if step_tokens is not None else 0)
    # The other counts have no figure of the step alone; the next datagram gives theirs.
    counts: Counts = (tokens, *now.counts[1:])
    seconds = max(0.0, now.seconds - took_s)
    return _Totals(max(0, now.steps - 1), seconds, counts, token_steps, now.marked_steps, now.marked_seconds,
                   now.marked_tokens, now.gap_s)  # fmt: skip


def _training(now: _Totals, before: _Totals, ts_ms: int, said: Datagram) -> Row:
    steps = now.steps - before.steps
    counts = tuple(_difference(a, b) for a, b in zip(now.counts, before.counts, strict=True))
    absent = said.text("tokens_absent")
    if now.counts[0] is None:
        absent = absent or _reason(said)
    elif now.token_steps - before.token_steps != steps:
        # A sum over some of the steps would be a wrong rate.
        counts, absent = (None, None, None, None), "not known for each of these steps"
    return Row(
        ts_ms=ts_ms,
        step=now.steps + now.marked_steps,
        steps=steps,
        seconds=max(0.0, now.seconds - before.seconds),
        counts=counts,  # type: ignore[arg-type]
        gap_s=max(0.0, now.gap_s - before.gap_s) if "gap_seconds" in said.fields else None,
        mark="",
        origin=_origin(said),
        tokens_absent=absent,
        total_steps=now.steps,
        total_tokens=now.counts[0],
        total_s=now.seconds,
        first_ms=ts_ms,
        loss=said.figure("loss"),
    )


def _reason(said: Datagram) -> str:
    if said.text("refused_tokens"):
        return "the count that the script gives is no whole number of at least 0"
    return (
        "the script gives no count of tokens" if said.text("origin") == "declared" else "no tensor of tokens was seen"
    )


def _marked(now: _Totals, before: _Totals, ts_ms: int, mark: str, said: Datagram) -> Row:
    return Row(
        ts_ms=ts_ms,
        step=now.steps + now.marked_steps,
        steps=now.marked_steps - before.marked_steps,
        seconds=max(0.0, now.marked_seconds - before.marked_seconds),
        counts=(_difference(now.marked_tokens, before.marked_tokens), None, None, None),
        gap_s=None,
        mark=mark,
        origin=_origin(said),
        tokens_absent="" if now.marked_tokens is not None else "no tensor of tokens was seen",
        total_steps=now.steps,
        total_tokens=now.counts[0],
        total_s=now.seconds,
        first_ms=ts_ms,
    )


def _origin(said: Datagram) -> Literal["declared", "inferred", "log"]:
    told = said.text("origin")
    return "declared" if told == "declared" else "log" if told == "log" else "inferred"


def _difference(now: int | None, before: int | None) -> int | None:
    return None if now is None else max(0, now - (before or 0))


def _mean(a: Row, b: Row) -> float | None:
    if a.loss is None or b.loss is None:
        return b.loss if a.loss is None else a.loss
    return (a.loss * a.steps + b.loss * b.steps) / (a.steps + b.steps)


_Number = TypeVar("_Number", int, float)


def _sum(a: _Number | None, b: _Number | None) -> _Number | None:
    return None if a is None or b is None else a + b
