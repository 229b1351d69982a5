"""What another package's source does wrong costs its own figures and nothing else."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from steelyard_agent.devices.guard import GuardedSource
from steelyard_agent.devices.registry import open_sources
from steelyard_agent.model import Absent, Value
from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_server import Behaviour, IngestServer
from tests.standins.plugin_package import UnrulyPackage, make_cards
from tests.standins.programs import Agent
from tests.unit.agent.test_guard import Clock


@pytest.fixture
def unruly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnrulyPackage]:
    package = UnrulyPackage(tmp_path / "site")
    monkeypatch.syspath_prepend(package.site)
    yield package
    package.obey_no_more()
    sys.modules.pop("unruly_source", None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(unruly: UnrulyPackage, clock: Clock) -> Iterator[GuardedSource]:
    [source] = open_sources({"unruly": "3"}, "n1")
    guard = GuardedSource(source, deadline_s=0.3, monotonic=clock, wall_ms=lambda: 1_000)
    yield guard
    guard.close()


def tick(guard: GuardedSource) -> dict[str, Sequence[Value]]:
    guard.start_tick(("fast",))
    return {info.uid: values for info, _class, values in guard.collect(30.0)}


WELL = {f"unruly-{number}": (0.5, 100.0) for number in range(3)}


def is_well(guard: GuardedSource) -> bool:
    return {uid: tuple(values) for uid, values in tick(guard).items()} == WELL


@pytest.mark.parametrize(
    ("word", "busy"),
    [
        ("raise", Absent("failed: RuntimeError")),
        ("exit", Absent("failed: SystemExit")),
        ("long", Absent("unruly gave 3 values for 2 metrics")),
        ("short", Absent("unruly gave 1 values for 2 metrics")),
        ("none", Absent("failed: TypeError")),
        ("text", Absent("the source gave no proper gauge for busy")),
        ("nan", Absent("the source gave no proper gauge for busy")),
        ("hang", Absent("quarantined: fast has not returned within 0.3 s")),
    ],
)
def test_what_a_device_gives_wrongly_is_absent(
    unruly: UnrulyPackage, guard: GuardedSource, word: str, busy: Absent
) -> None:
    guard.discover()
    assert is_well(guard)
    unruly.tell("1", word)
    values = tick(guard)
    assert values.pop("unruly-1")[0] == busy
    assert {uid: tuple(row) for uid, row in values.items()} == {uid: WELL[uid] for uid in values}
    unruly.tell("1")
    until(lambda: is_well(guard))


@pytest.mark.parametrize(
    ("what", "word", "problem"),
    [
        ("import", "raise", "RuntimeError: as it was told"),
        ("import", "exit", "as it was told"),
        ("open", "raise", "RuntimeError: as it was told"),
        ("discover", "raise", "RuntimeError: as it was told"),
        ("discover", "garbage", "listed a str, which is no DeviceInfo"),
        ("discover", "metrics", "unruly-0 has metric 9999 in the class 'fast'"),
        ("discover", "twice", "two devices have the same uid"),
    ],
)
def test_a_look_that_fails_is_told_and_tried_again(
    unruly: UnrulyPackage, guard: GuardedSource, clock: Clock, what: str, word: str, problem: str
) -> None:
    unruly.tell(what, word)
    assert list(guard.discover()) == []
    assert problem in guard.stats().problem
    assert [event.code for event in guard.events()] == ["discover_failed"]
    unruly.tell(what)
    clock.ahead_s += 10
    tick(guard)
    until(lambda: is_well(guard))


def test_an_import_that_hangs_holds_up_nobody(unruly: UnrulyPackage, tmp_path: Path, example_site: Path) -> None:
    """The real agent, with the package of docs/sources.md beside the unruly one, by its settings alone."""
    unruly.tell("import", "hang")
    make_cards(tmp_path / "cards", 2)
    environ = {"PYTHONPATH": os.pathsep.join([str(unruly.site), str(example_site)])}
    plugins = f"unruly=3,mychip={tmp_path / 'cards'}"
    with IngestServer(Behaviour(flush_ms=200)) as server:
        agent = Agent(tmp_path, server.address, "sources.host=false", environ=environ | {"STEELYARD_PLUGINS": plugins})
        agent.start()
        try:
            until(lambda: counted(server).get("mychip:agent:card1", 0) >= 10, 60)
            assert not any(uid.startswith("unruly") for uid in counted(server))
            unruly.tell("import")
            until(lambda: counted(server).get("unruly-2", 0) >= 3, 60)
            assert agent.terminate() < 5
            assert agent.code == 0, agent.said
        finally:
            agent.kill()
    assert server.seen.faults == []


def counted(server: IngestServer) -> dict[str, int]:
    """Ticks of each device, by uid."""
    messages = (*server.seen.hellos, *server.seen.describes)
    names = {device.key: device.uid for message in messages for device in message.devices}
    layouts = {layout.id: layout for message in messages for layout in message.layouts}
    count: dict[str, int] = {}
    for batch in server.seen.batches(batch_pb2.KIND_DEVICE_SAMPLES):
        for key in layouts[batch.layout].devices:
            count[names[key]] = count.get(names[key], 0) + len(memoryview(batch.ts_ms).cast("q"))
    return count
