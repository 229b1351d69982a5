"""Profiling as the daemon opens it, over temporary folders, and what it answers, gathered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from steelyard_agent.jobs.watch import open_reader
from steelyard_agent.model import Event
from steelyard_agent.profiling.opening import Ways, open_profiling
from steelyard_agent.profiling.rows import Result
from steelyard_agent.profiling.service import ProfilingService
from steelyard_agent.profiling.settings import Profiling
from steelyard_proto.v1 import ingest_pb2
from tests.standins.agent_parts import until


@dataclass
class OpenProfiling:
    """A running service."""

    service: ProfilingService
    settings: Profiling
    answers: list[ingest_pb2.Answer] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def socket(self) -> str:
        return str(self.settings.folder / "dynolog")

    def poll(self) -> None:
        """Fetches what waits."""
        while (answer := self.service.next_answer()) is not None:
            self.answers.append(answer)
        gathered = self.service.take()
        self.results += gathered.results
        self.events += gathered.events

    def states(self) -> list[str]:
        self.poll()
        return [answer.state for answer in self.answers]

    def ask(self, what: ingest_pb2.ProfileAsk | ingest_pb2.TraceAsk, name: str = "1") -> None:
        if isinstance(what, ingest_pb2.ProfileAsk):
            self.service.ask(ingest_pb2.Ask(id=name, profile=what))
        else:
            self.service.ask(ingest_pb2.Ask(id=name, trace=what))

    def wait_for_last(self, timeout_s: float = 100.0) -> ingest_pb2.Answer:
        """The answer that says it is the last."""
        until(lambda: self.poll() or any(answer.is_last for answer in self.answers), timeout_s)
        return next(answer for answer in self.answers if answer.is_last)


def profiling_settings(folder: Path, **others: object) -> Profiling:
    values: dict[str, object] = {
        "folder": folder,
        "is_shared": False,
        "is_abstract": False,
        "npu_home": None,
        "has_npu_file": False,
        "max_trace_bytes": 256_000_000,
        "keep_bytes": 10**9,
        "keep_s": 3600.0,
        "reader_bytes": 2 * 10**9,
        "continuous": (),
        "npu_monitor": (),
        "msprof": (),
        "stacks": (),
        "stacks_socket": folder / "no-unit",
        "every_s": 60.0,
        "budget_share": 0.002,
    }
    return Profiling(**{**values, **others})  # type: ignore[arg-type]


@contextmanager
def open_for_test(
    path: Path, blind_s: float = 0.0, appear_s: float = 0.2, spy: str = "", msprof: str = "", **others: object
) -> Iterator[OpenProfiling]:
    """Profiling over `path`; `others` are settings."""
    settings = profiling_settings(path / "fabric", **others)
    ways = Ways(blind_s, appear_s, 0.3, spy, msprof)
    service = open_profiling(settings, path / "state", open_reader("node-1"), ways=ways)
    service.start(lambda: None)
    try:
        yield OpenProfiling(service, settings)
    finally:
        service.close()
