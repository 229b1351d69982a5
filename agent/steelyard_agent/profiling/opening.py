"""Wires the parts of profiling together; imported only where it is on."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from steelyard_agent.jobs.facts import ProcessReader
from steelyard_agent.profiling.accounts import Accounts
from steelyard_agent.profiling.asks import APPEAR_S, Asks
from steelyard_agent.profiling.child import Limits
from steelyard_agent.profiling.child_windows import DEFAULT_MS, ChildWindows, Program
from steelyard_agent.profiling.config_file import FOLDER, ConfigFile
from steelyard_agent.profiling.continuous import Continuous, Plan
from steelyard_agent.profiling.endpoint import Endpoint
from steelyard_agent.profiling.folders import QUIET_S, Growth
from steelyard_agent.profiling.held import Held
from steelyard_agent.profiling.kineto_outlet import KinetoOutlet
from steelyard_agent.profiling.landing import Landing, Unusable
from steelyard_agent.profiling.monitor_outlet import MonitorOutlet
from steelyard_agent.profiling.msprof import RATE_HZ, Msprof
from steelyard_agent.profiling.npu_outlet import NpuOutlet, file_configuration, npu_configuration
from steelyard_agent.profiling.outbox import Outbox
from steelyard_agent.profiling.outlet import Keeper, Outlet
from steelyard_agent.profiling.py_spy import PySpy
from steelyard_agent.profiling.rates_keeper import RatesKeeper
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.reading import Reading
from steelyard_agent.profiling.request import WindowSpec
from steelyard_agent.profiling.roster import Roster
from steelyard_agent.profiling.sampled import Sampler, Unsampled
from steelyard_agent.profiling.service import STACKS_HZ, Holding, Notes, Parts, ProfilingService, tell_window
from steelyard_agent.profiling.settings import Profiling
from steelyard_agent.profiling.sockets import (
    KINETO_FILE,
    NPU_DATA_FILE,
    NPU_FILE,
    Listener,
    NameTaken,
    bind_abstract,
    bind_file,
    check_home,
)
from steelyard_agent.profiling.spy_socket import SpySocket
from steelyard_agent.profiling.step_log import StepLog
from steelyard_agent.profiling.trainers import trainers_of
from steelyard_agent.profiling.window import Tool, Window
from steelyard_agent.profiling.windows import BLIND_S, Clocks, Windows


@dataclass(frozen=True, slots=True)
class Ways:
    """What differs in tests alone.

    Attributes:
        blind_s: see windows.BLIND_S.
        appear_s: see asks.APPEAR_S.
        quiet_s: see folders.QUIET_S.
        spy: py-spy's path; empty for the usual places.
        msprof: the same of msprof.
    """

    blind_s: float = BLIND_S
    appear_s: float = APPEAR_S
    quiet_s: float = QUIET_S
    spy: str = ""
    msprof: str = ""


_USUAL: Final = Ways()


def open_profiling(
    settings: Profiling, state_dir: Path, reader: ProcessReader, *, partition: str = "", ways: Ways = _USUAL
) -> ProfilingService:
    """Profiling as it is set; names that another daemon has are left to it, and that is told.

    Args:
        settings: of the table `profiling`.
        state_dir: the agent's; raw traces are kept in it.
        reader: who tells about processes, for this use alone.
        partition: of this node; empty where it is in none.
        ways: for tests.
    """
    clocks = Clocks(time.monotonic, lambda: time.time_ns() // 1_000_000)
    notes = Notes(clocks.wall_ms)
    landing = Landing(settings.folder, settings.is_shared, settings.max_trace_bytes)
    listeners = list(_listeners(settings, landing, notes))
    roster, steps, outbox = Roster(clocks.monotonic), StepLog(), Outbox()
    store = RawStore(state_dir / "traces", settings.keep_bytes, settings.keep_s, time.time)
    store.trim()
    accounts = Accounts(steps, clocks.monotonic, clocks.wall_ms)

    def tell(window: Window) -> None:
        tell_window(asks, notes, accounts, window)

    holders = Holding()
    held = Held(lambda pid: (info.uid for info in holders.of(pid)))
    outlets: dict[Tool, Outlet] = {
        "kineto": KinetoOutlet(landing),
        "npu_trace": NpuOutlet(landing, Growth(clocks.monotonic, ways.quiet_s), npu_configuration),
        "dynamic_profile": NpuOutlet(landing, Growth(clocks.monotonic, ways.quiet_s), file_configuration),
        "npu_monitor": MonitorOutlet(landing, Growth(clocks.monotonic, ways.quiet_s)),
    }
    windows = Windows(roster, outlets, reader, steps, clocks, tell, held, ways.blind_s)
    remedy = f"start it with KINETO_USE_DAEMON=1 KINETO_IPC_SOCKET_DIR={settings.folder}, and see docs/profiling.md"
    spy = functools.partial(_spy, settings.stacks_socket, ways.spy, store)
    stacks = ChildWindows(Program("py-spy", "host stacks", STACKS_HZ, spy), store, clocks, tell, held)
    sample = functools.partial(_msprof, holders, settings.max_trace_bytes, ways.msprof, store)
    rates = ChildWindows(Program("msprof", "memory and links", RATE_HZ, sample), store, clocks, tell, held)
    known = functools.partial(trainers_of, roster, reader, steps)
    asks = Asks(known, windows, stacks, rates, store, outbox, clocks, remedy, ways.appear_s)
    keepers: dict[Tool, Keeper] = {**outlets, "msprof": RatesKeeper(settings.max_trace_bytes)}
    reading = Reading(keepers, store, steps, Limits(settings.reader_bytes), clocks.wall_ms)
    config_file = None
    if settings.has_npu_file:
        try:
            config_file = ConfigFile(
                settings.folder / FOLDER, roster, reader, lambda: {*holders.devices, *steps.pids()}, clocks.monotonic
            )
        except Unusable as error:
            notes.complain("fabric_unusable", str(error))
    endpoint = Endpoint(listeners, roster, windows, notes.complain)
    plan = Plan(settings.continuous, partition, settings.every_s, settings.budget_share)
    spans = WindowSpec(steps=0, duration_ms=DEFAULT_MS)
    stack_plan = replace(plan, patterns=settings.stacks, tool="py_spy", spec=spans)
    rates_plan = replace(plan, patterns=settings.msprof, tool="msprof", spec=spans)
    monitor_plan = replace(plan, patterns=settings.npu_monitor, tool="npu_monitor", spec=spans)
    continuous = (
        Continuous(plan, roster, reader, steps, windows, clocks, notes.note),
        Continuous(monitor_plan, roster, reader, steps, windows, clocks, notes.note),
        Continuous(stack_plan, roster, reader, steps, stacks, clocks, notes.note),
        Continuous(rates_plan, roster, reader, steps, rates, clocks, notes.note),
    )
    parts = Parts(
        endpoint,
        windows,
        reading,
        asks,
        accounts,
        continuous,
        stacks,
        rates,
        config_file,
        landing,
        steps,
        holders,
        outbox,
        clocks,
    )
    return ProfilingService(parts, notes)


def _spy(unit: Path, program: str, store: RawStore, window: Window, seconds: int) -> Sampler:
    """Has a process sampled: by the unit that may, else by the agent itself."""
    pid, target = window.who.pid, store.path_for(window.id, ".txt")
    if unit.is_socket():
        return SpySocket(unit, pid, seconds, STACKS_HZ, target)
    return PySpy(pid, seconds, STACKS_HZ, target, program=program)


def _msprof(holders: Holding, most_bytes: int, program: str, store: RawStore, window: Window, seconds: int) -> Sampler:
    """Has a process's NPUs sampled."""
    npus = [info.index for info in holders.of(window.who.pid) if info.vendor == "huawei"]
    if not npus:
        raise Unsampled("the process holds no NPU that the agent knows of, and msprof samples nothing else")
    return Msprof(npus, seconds, store.path_for(window.id, ""), most_bytes, program=program)


def _listeners(settings: Profiling, landing: Landing, notes: Notes) -> Iterator[Listener]:
    wanted: list[Callable[[], Listener]] = []
    try:
        landing.open()
        path = settings.folder / KINETO_FILE
        wanted.append(functools.partial(bind_file, path, "kineto", is_shared=settings.is_shared))
    except Unusable as error:
        notes.complain("fabric_unusable", str(error))
    if settings.is_abstract:
        wanted.append(bind_abstract)
    if settings.npu_home is not None:
        for name in (NPU_FILE, NPU_DATA_FILE):
            wanted.append(functools.partial(_bind_home, settings.npu_home, name))
    for bind in wanted:
        try:
            yield bind()
        except NameTaken as error:
            notes.complain("fabric_taken", str(error))


def _bind_home(home: Path, name: str) -> Listener:
    check_home(home)
    return bind_file(home / name, "npu", is_shared=False)
