"""Asks of the collector: which processes are meant, what becomes of each, and the pieces of a trace."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.profiling.child_windows import DEFAULT_MS, ChildWindows
from steelyard_agent.profiling.outbox import Outbox
from steelyard_agent.profiling.raw_store import NoTrace, RawStore
from steelyard_agent.profiling.request import DEFAULT_STEPS, MOST_DURATION_MS, MOST_STEPS, WindowSpec
from steelyard_agent.profiling.trainers import Pair
from steelyard_agent.profiling.window import Tool, Window, tool_of
from steelyard_agent.profiling.windows import Clocks, Windows
from steelyard_proto.v1 import ingest_pb2

# After a start of the agent or of a training a process is known once it has asked, which it does every 5 s.
APPEAR_S: Final = 8.0
# What one ask may set going on a node.
_MOST_WINDOWS: Final = 64
_MOST_WAITING: Final = 64


@dataclass(slots=True)
class _Asked:
    """An ask under way: the windows that have not ended."""

    open: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An ask for a process that isn't known yet."""

    ask: str
    wanted: ingest_pb2.ProfileAsk
    spec: WindowSpec
    late_s: float


class Asks:
    """Answers what is asked. Used by the fabric's thread alone."""

    def __init__(
        self,
        known: Callable[[], Sequence[Pair]],
        windows: Windows,
        stacks: ChildWindows,
        rates: ChildWindows,
        store: RawStore,
        outbox: Outbox,
        clocks: Clocks,
        remedy: str,
        appear_s: float = APPEAR_S,
    ) -> None:
        """Args: who can be profiled; as they are named; what to tell one whose process isn't there, and after how
        long.
        """
        self._known = known
        self._windows = windows
        self._stacks = stacks
        self._rates = rates
        self._store = store
        self._outbox = outbox
        self._clocks = clocks
        self._remedy = remedy
        self._appear_s = appear_s
        self._asked: dict[str, _Asked] = {}
        self._waiting: list[_Waiting] = []

    @property
    def is_idle(self) -> bool:
        """Whether no ask waits for its process."""
        return not self._waiting

    def take(self, ask: ingest_pb2.Ask) -> None:
        """Sets going what is asked."""
        which = ask.WhichOneof("what")
        if which == "profile":
            self._profile(ask.id, ask.profile)
        elif which == "trace":
            self._send_trace(ask.id, ask.trace.profile)
        elif which == "cancel":
            self._outbox.drop(ask.id)
            self._windows.cancel(ask.id)
            self._stacks.cancel(ask.id)
            self._rates.cancel(ask.id)
            self._waiting = [one for one in self._waiting if one.ask != ask.id]
        else:
            self._fail(ask.id, "this agent is too old for what is asked; update it")

    def lose(self) -> None:
        """The stream has ended: nobody waits for answers any more."""
        self._asked.clear()
        self._waiting.clear()
        self._outbox.clear()

    def tell(self, window: Window) -> None:
        """Answers how far a window is."""
        asked = self._asked.get(window.ask)
        if asked is None:
            return
        if window.state in ("stored", "failed"):
            asked.open.discard(window.id)
        is_last = not asked.open
        if is_last:
            del self._asked[window.ask]
        answer = ingest_pb2.Answer(
            id=window.ask,
            state=window.state,
            text=window.text,
            pid=window.who.pid,
            rank=window.who.ranks.rank,
            job=window.who.job.id,
            profile=window.id,
            total_bytes=window.trace_bytes,
            is_last=is_last,
        )
        self._outbox.put(answer)

    def _profile(self, ask: str, wanted: ingest_pb2.ProfileAsk) -> None:
        try:
            spec = _spec_of(wanted)
        except ValueError as error:
            self._fail(ask, str(error))
            return
        one = _Waiting(ask, wanted, spec, self._clocks.monotonic() + self._appear_s)
        if not self._begin(one):
            if len(self._waiting) >= _MOST_WAITING:
                self._fail(ask, f"{_MOST_WAITING} asks wait already")
                return
            self._waiting.append(one)

    def advance(self) -> None:
        """Looks again for the processes that were not known."""
        for one in list(self._waiting):
            is_late = self._clocks.monotonic() >= one.late_s
            if self._begin(one):
                self._waiting.remove(one)
            elif is_late:
                self._waiting.remove(one)
                self._fail(one.ask, f"no such process on this node is on the fabric: {self._remedy}", one.wanted)

    def _begin(self, one: _Waiting) -> bool:
        chosen = _chosen(one.wanted, self._known())
        ask, now_s, wall_ms = one.ask, self._clocks.monotonic(), self._clocks.wall_ms()
        windows = [
            Window(
                str(uuid.uuid4()), ask, "asked", trainer, who, one.spec, now_s, wall_ms, tool=tool_of(trainer, one.spec)
            )
            for trainer, who in chosen[:_MOST_WINDOWS]
        ]
        span = WindowSpec(steps=0, duration_ms=one.spec.duration_ms or DEFAULT_MS)
        others: tuple[tuple[Tool, bool], ...] = (("py_spy", one.wanted.host_stacks), ("msprof", one.wanted.link_rates))
        windows += [
            Window(str(uuid.uuid4()), ask, "asked", trainer, who, span, now_s, wall_ms, tool=tool)
            for tool, is_wanted in others
            if is_wanted
            for trainer, who in chosen[:_MOST_WINDOWS]
        ]
        if windows:
            self._asked[ask] = _Asked({window.id for window in windows})
        for window in windows:
            {"py_spy": self._stacks, "msprof": self._rates}.get(window.tool, self._windows).begin(window)
        return bool(windows)

    def _send_trace(self, ask: str, profile: str) -> None:
        try:
            name, size, pieces = self._store.open(profile)
        except NoTrace as error:
            self._fail(ask, str(error))
            return
        if not self._outbox.put_pieces(ask, _answers(ask, profile, name, size, pieces)):
            self._fail(ask, "this agent sends other traces already; ask again when they are through")

    def _fail(self, ask: str, reason: str, wanted: ingest_pb2.ProfileAsk | None = None) -> None:
        answer = ingest_pb2.Answer(id=ask, state="failed", text=reason, is_last=True)
        if wanted is not None:
            answer.pid, answer.job = wanted.pid, wanted.job
        self._outbox.put(answer)


def _answers(ask: str, profile: str, name: str, size: int, pieces: Iterator[bytes]) -> Iterator[ingest_pb2.Answer]:
    sent = 0
    for piece in pieces:
        sent += len(piece)
        yield ingest_pb2.Answer(
            id=ask,
            state="sending",
            profile=profile,
            piece=piece,
            total_bytes=size,
            file_name="" if sent > len(piece) else name,
        )
    if sent == size:
        yield ingest_pb2.Answer(id=ask, state="stored", profile=profile, total_bytes=size, is_last=True)
    else:
        reason = f"the trace ended after {sent} of {size} bytes"
        yield ingest_pb2.Answer(id=ask, state="failed", text=reason, profile=profile, is_last=True)


def _spec_of(wanted: ingest_pb2.ProfileAsk) -> WindowSpec:
    steps, duration_ms = wanted.steps, wanted.duration_ms
    if steps and duration_ms:
        raise ValueError("both steps and a duration are asked for; give one")
    if steps > MOST_STEPS or duration_ms > MOST_DURATION_MS:
        raise ValueError(f"a window has at most {MOST_STEPS} steps or {MOST_DURATION_MS} ms")
    return WindowSpec(0 if duration_ms else steps or DEFAULT_STEPS, duration_ms, wanted.with_stacks, wanted.with_shapes)


def _chosen(wanted: ingest_pb2.ProfileAsk, known: Sequence[Pair]) -> list[Pair]:
    """Those for which all that is given holds; where no process is named, the lowest rank of each job."""
    checks: list[Callable[[ProcessFacts], bool]] = []
    if wanted.job:
        checks.append(lambda who: wanted.job in (who.job.id, who.job.name))
    if wanted.pid:
        checks.append(lambda who: who.pid == wanted.pid)
    if wanted.ranks:
        checks.append(lambda who: who.ranks.rank in wanted.ranks)
    found = [(one, who) for one, who in known if all(check(who) for check in checks)]
    found.sort(key=lambda pair: (pair[1].ranks.rank is None, pair[1].ranks.rank or 0, pair[1].pid))
    if wanted.pid or wanted.ranks:
        return found
    first: dict[str, Pair] = {}
    for pair in found:
        first.setdefault(pair[1].job.id, pair)
    return list(first.values())
