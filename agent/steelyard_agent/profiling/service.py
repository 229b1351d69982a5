"""The thread of the fabric: answers profilers, drives windows, has traces read, and hands the rows to the sampler."""

import logging
import os
import selectors
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.model import DeviceInfo, Event
from steelyard_agent.profiling.accounts import LOOK_S as ACCOUNTS_LOOK_S
from steelyard_agent.profiling.accounts import Accounts
from steelyard_agent.profiling.asks import Asks
from steelyard_agent.profiling.child_windows import ChildWindows
from steelyard_agent.profiling.config_file import ConfigFile
from steelyard_agent.profiling.continuous import LOOK_S as CONTINUOUS_LOOK_S
from steelyard_agent.profiling.continuous import Continuous
from steelyard_agent.profiling.endpoint import Endpoint
from steelyard_agent.profiling.landing import Landing
from steelyard_agent.profiling.outbox import Outbox
from steelyard_agent.profiling.reading import Failed, Reading
from steelyard_agent.profiling.rows import Result, profile_of
from steelyard_agent.profiling.stack_rows import stacks_result
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.window import Window
from steelyard_agent.profiling.windows import Clocks, Windows
from steelyard_proto.v1 import batch_pb2, ingest_pb2

log = logging.getLogger(__name__)

SOURCE: Final = "profiling"
# While something is under way; else the thread sleeps until somebody speaks.
_LOOK_S: Final = 0.1
_SWEEP_S: Final = 600.0
_MOST_WAITING: Final = 1000
_STOP_S: Final = 1.0
_MOST_COMPLAINTS: Final = 100
STACKS_HZ: Final = 25


@dataclass(slots=True)
class Gathered:
    """What has come since the last time, for the spool."""

    results: list[Result]
    events: list[Event]


@dataclass(slots=True)
class Holding:
    """Who holds which devices, by the sampling thread."""

    devices: Mapping[int, tuple[DeviceInfo, ...]] = field(default_factory=dict)

    def of(self, pid: int) -> tuple[DeviceInfo, ...]:
        """The accelerators that a process holds; none where that isn't known."""
        return tuple(info for info in self.devices.get(pid, ()) if info.kind != "cpu")


@dataclass(slots=True)
class Parts:
    """What the service drives."""

    endpoint: Endpoint
    windows: Windows
    reading: Reading
    asks: Asks
    accounts: Accounts
    continuous: tuple[Continuous, ...]
    stacks: ChildWindows
    rates: ChildWindows
    config_file: ConfigFile | None
    landing: Landing
    steps: StepLog
    holders: Holding
    outbox: Outbox
    clocks: Clocks


class Notes:
    """Rows and events on their way to the sampling thread."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        """Args: Unix time."""
        self._wall_ms = wall_ms
        self._results: deque[Result] = deque(maxlen=_MOST_WAITING)
        self._events: deque[Event] = deque(maxlen=_MOST_WAITING)

    def complain(self, code: str, text: str) -> None:
        """Tells a fault, once by its caller's care."""
        log.warning("%s: %s", code, text)
        self._events.append(Event(self._wall_ms(), "warning", code, text, SOURCE))

    def note(self, code: str, text: str, *, is_fault: bool = False) -> None:
        """Tells what has happened."""
        log.info("%s: %s", code, text)
        self._events.append(Event(self._wall_ms(), "warning" if is_fault else "info", code, text, SOURCE))

    def put(self, result: Result) -> None:
        """Takes the rows of a window."""
        self._results.append(result)

    def take(self) -> Gathered:
        """What has come since the last call."""
        results = [self._results.popleft() for _ in range(len(self._results))]
        return Gathered(results, [self._events.popleft() for _ in range(len(self._events))])


class ProfilingService:
    """Owns the thread. Its public calls are for other threads."""

    def __init__(self, parts: Parts, notes: Notes) -> None:
        """Args: what it drives, and where what comes of it goes."""
        self._parts = parts
        self._notes = notes
        self._inbox: deque[Callable[[], None]] = deque(maxlen=_MOST_WAITING)
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._is_stopping = False
        self._swept_s = float("-inf")
        self._complaints: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="profiling", daemon=True)

    def start(self, wake: Callable[[], None]) -> None:
        """Begins; `wake` is called when an answer waits."""
        self._parts.outbox.wake = wake
        self._thread.start()

    def close(self) -> None:
        """Ends, and gives all names back."""
        self._is_stopping = True
        os.eventfd_write(self._bell, 1)
        self._thread.join(_STOP_S)
        if not self._thread.is_alive():
            os.close(self._bell)

    def note_steps(self, steps: Iterable[batch_pb2.Step]) -> None:
        """Takes steps that processes told."""
        self._parts.steps.take(steps)

    def note_holders(self, devices: Mapping[int, tuple[DeviceInfo, ...]]) -> None:
        """Takes the processes that hold devices now."""
        self._parts.holders.devices = devices

    def take(self) -> Gathered:
        """What has come since the last call, for the spool."""
        return self._notes.take()

    def ask(self, ask: ingest_pb2.Ask) -> None:
        """Takes an ask of the collector."""
        self._post(lambda: self._parts.asks.take(ask))

    def pause(self, *, is_paused: bool) -> None:
        """Takes whether the collector wants no continuous windows."""
        for one in self._parts.continuous:
            one.is_paused = is_paused

    def next_answer(self) -> ingest_pb2.Answer | None:
        """The next answer for the collector."""
        return self._parts.outbox.next()

    def lose(self) -> None:
        """The stream has ended on which it was asked."""
        self._post(self._parts.asks.lose)

    def _post(self, call: Callable[[], None]) -> None:
        self._inbox.append(call)
        os.eventfd_write(self._bell, 1)

    def _run(self) -> None:
        parts = self._parts
        with selectors.EpollSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            for listener in parts.endpoint.listeners:
                selector.register(listener.socket, selectors.EVENT_READ, listener)
            while not self._is_stopping:
                for key, _ in selector.select(self._pause_s()):
                    if key.data is None:
                        os.eventfd_read(self._bell)
                    else:
                        parts.endpoint.read(key.data)
                for _ in range(len(self._inbox)):
                    self._inbox.popleft()()
                try:
                    self._advance()
                except OSError as error:
                    # A folder that somebody has removed, a disk that is full: the fabric goes on.
                    self._complain_once(f"profiles fail: {error}")
        parts.reading.close()
        parts.stacks.close()
        parts.rates.close()
        parts.endpoint.close()

    def _complain_once(self, text: str) -> None:
        if text not in self._complaints and len(self._complaints) < _MOST_COMPLAINTS:
            self._complaints.add(text)
            self._notes.complain("profiles_fail", text)

    def _pause_s(self) -> float | None:
        parts = self._parts
        if not all(part.is_idle for part in (parts.windows, parts.stacks, parts.rates, parts.reading, parts.asks)):
            return _LOOK_S
        if any(one.is_on for one in parts.continuous):
            return CONTINUOUS_LOOK_S
        return None if parts.accounts.is_idle else ACCOUNTS_LOOK_S

    def _advance(self) -> None:
        parts = self._parts
        if parts.config_file is not None:
            parts.config_file.advance(parts.windows.configuration_for)
        parts.asks.advance()
        for window in parts.windows.advance():
            self._land(window)
        read = parts.reading.advance()
        if read is not None:
            window, outcome = read
            if isinstance(outcome, Failed):
                self._fail(window, str(outcome))
            else:
                self._store(window, outcome)
        self._advance_children()
        for profile, loss in parts.accounts.settle():
            for one in parts.continuous:
                if one.plan.counts(profile.profiler):
                    one.price(profile.job, loss)
            self._notes.put(Result(profile))
        for one in parts.continuous:
            one.advance()
        self._sweep()

    def _advance_children(self) -> None:
        stacks, rates = self._parts.stacks.advance(), self._parts.rates.advance()
        if stacks is not None:
            window, sampled = stacks
            result = stacks_result(window, sampled, STACKS_HZ, self._parts.steps.run_of(window.who.pid))
            if result is None:
                self._parts.stacks.fail(window, "no Python was seen in the process")
            else:
                self._store(window, result)
        if rates is not None:
            self._land(rates[0])

    def _fail(self, window: Window, reason: str) -> None:
        owner = self._parts.rates if window.tool == "msprof" else self._parts.windows
        owner.fail(window, reason)

    def _land(self, window: Window) -> None:
        try:
            self._parts.reading.add(window)
        except Failed as error:
            self._fail(window, str(error))
            return
        window.state, window.text = "parsing", f"{window.trace_bytes / 1e6:.1f} MB"
        self._parts.asks.tell(window)

    def _store(self, window: Window, result: Result) -> None:
        profile = result.profile
        window.state, window.text = "stored", summary(profile)
        self._notes.put(result)
        self._parts.accounts.add(profile)
        self._notes.note("profile_stored", f"{_name(window)}: {window.text}")
        self._parts.asks.tell(window)

    def _sweep(self) -> None:
        now_s = self._parts.clocks.monotonic()
        if now_s - self._swept_s >= _SWEEP_S:
            self._swept_s = now_s
            dropped = self._parts.landing.sweep()
            if dropped:
                log.info("%d traces that nobody waited for were removed", dropped)


def tell_window(asks: Asks, notes: Notes, accounts: Accounts, window: Window) -> None:
    """What each state of a window leads to: an answer, and where it failed a row and an event."""
    if window.state == "failed":
        profile = profile_of(window, accounts.wall_ms(), accounts.steps.run_of(window.who.pid))
        accounts.add(profile, is_stored=False)
        notes.put(Result(profile))
        notes.note("profile_failed", f"{_name(window)}: {window.text}", is_fault=True)
    asks.tell(window)


def summary(profile: batch_pb2.Profile) -> str:
    """One line about a profile."""
    if profile.HasField("samples"):
        return f"{profile.samples} samples of host stacks, {profile.sampled_hz:g} a second"
    if profile.profiler == "msprof":
        links = dict.fromkeys(rate.link for rate in profile.rates)
        return f"{len(profile.rates)} rates of {', '.join(links)}"
    words = [f"{profile.window_ns / 1e6:.1f} ms"]
    if profile.HasField("steps"):
        words.insert(0, f"{profile.steps} steps")
    if profile.devices:
        for name in ("compute", "idle"):
            share = getattr(profile, f"{name}_ns") / max(profile.window_ns, 1)
            words.append(f"{100 * share:.0f} % {name}")
    return f"{', '.join(words)}; a trace of {profile.trace_bytes / 1e6:.1f} MB is kept on the node"


def _name(window: Window) -> str:
    rank = window.who.ranks.rank
    who = f"process {window.who.pid}" if rank is None else f"rank {rank} (process {window.who.pid})"
    return f"profile {window.id} of {who} of job {window.who.job.id}"
