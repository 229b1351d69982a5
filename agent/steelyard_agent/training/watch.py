"""Turns datagrams into rows of steps and training facts, with the job and the device of each process."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from steelyard_agent.devices.guard import Holders
from steelyard_agent.jobs.facts import ProcessFacts, ProcessReader
from steelyard_agent.model import Absent, DeviceInfo, Event
from steelyard_agent.training.datagram import Datagram, Unreadable, parse
from steelyard_agent.training.endings import Ending, Endings
from steelyard_agent.training.endpoint import Received
from steelyard_agent.training.facts import Facts, read_facts
from steelyard_agent.training.ledger import Ledger, Row
from steelyard_agent.training.logs import LogFollower
from steelyard_agent.training.placing import Places, shares
from steelyard_proto.v1 import batch_pb2

log = logging.getLogger(__name__)

SOURCE: Final = "training"
_MOST_PROCESSES: Final = 4096
# A process whose clock is that far from ours lives in a time of its own: then a step ends when it is heard of.
_MOST_SKEW_MS: Final = 5_000
_FACTS_EVERY_MS: Final = 3_600_000
# A rank that fell silent this long no longer shares its device.
_SILENT_MS: Final = 120_000
_MOST_EVENTS: Final = 100
_NO_COUNT: Final = "the tokens given to steelyard_step are no whole number of at least 0; its steps have none"


@dataclass(frozen=True, slots=True)
class Told:
    """What came since the last time."""

    steps: Sequence[batch_pb2.Step] = ()
    trainings: Sequence[batch_pb2.Training] = ()
    events: Sequence[Event] = ()
    profiles: Sequence[batch_pb2.Profile] = ()
    profile_rows: Sequence[batch_pb2.ProfileRow] = ()
    stacks: Sequence[batch_pb2.Stack] = ()


class Teller(Protocol):
    """Tells of steps; the seam between the sampling loop and training/. Used by the sampling thread alone."""

    def look(self, holders: Sequence[Holders]) -> None:
        """Takes who holds the devices now."""
        ...

    def take(self, now_ms: int, key_of: Callable[[DeviceInfo], int]) -> Told:
        """What came since the last call, oldest first."""
        ...


class Mailbox(Protocol):
    """Where datagrams wait; see endpoint.py."""

    dropped: int

    def take(self) -> list[Received]:
        """What has come since the last call."""
        ...


@dataclass(slots=True)
class _Process:
    """A process that trains."""

    who: ProcessFacts
    ledger: Ledger = field(default_factory=Ledger)
    facts: Facts = field(default_factory=Facts)
    fields: dict[str, str] = field(default_factory=dict)
    sent: bytes = b""
    sent_ms: int = 0
    heard_ms: int = 0
    problems: set[str] = field(default_factory=set)
    is_logged: bool = False


class TrainingWatch:
    """All training processes of the node."""

    def __init__(self, mailbox: Mailbox, reader: ProcessReader, logs: LogFollower | None = None) -> None:
        """Args: where datagrams come in; who tells about processes; the logs."""
        self._logs = logs
        self._mailbox = mailbox
        self._reader = reader
        self._places = Places()
        self._processes: dict[int, _Process] = {}
        self._events: list[Event] = []
        self._refusals: set[tuple[int, str]] = set()
        self._endings = Endings()
        self._gone: list[tuple[int, _Process]] = []
        self._dropped = 0
        self.refused = 0

    def look(self, holders: Sequence[Holders]) -> None:
        """Takes who holds the devices now, and forgets the processes that have ended."""
        self._places.look(holders)
        for pid, process in list(self._processes.items()):
            now = self._reader.read(pid)
            if now is None or now.start_ms != process.who.start_ms:
                # Forgotten once its last datagrams, which may wait still, are read.
                self._gone.append((pid, process))
        if self._logs is not None:
            self._logs.want(self._silent(holders))
        self._reader.end_look()

    def take(self, now_ms: int, key_of: Callable[[DeviceInfo], int]) -> Told:
        """Reads what waits; a datagram that makes no sense is refused, counted and told once."""
        if self._mailbox.dropped > self._dropped:
            lost, self._dropped = self._mailbox.dropped - self._dropped, self._mailbox.dropped
            self._note("warning", "datagrams_dropped", f"{lost} datagrams came faster than they are read", now_ms)
        for received in self._mailbox.take():
            try:
                self._read(received, now_ms)
            except Unreadable as error:
                self._refuse(received.pid, error, now_ms)
        self._read_logs(now_ms)
        self._note_dead_ranks(now_ms)
        placed = {pid: self._place(pid, process) for pid, process in self._processes.items()}
        heard = [info for pid, info in placed.items() if now_ms - self._processes[pid].heard_ms < _SILENT_MS]
        share = shares(heard)
        steps: list[batch_pb2.Step] = []
        trainings: list[batch_pb2.Training] = []
        for pid, process in self._processes.items():
            info = placed[pid]
            device = None if info is None else key_of(info)
            rows, process.ledger.rows = process.ledger.rows, []
            steps += [_step(process, row, device, share(info)) for row in rows]
            trainings += self._changed(process, device, now_ms)
        self._forget_gone()
        events, self._events = self._events, []
        return Told(sorted(steps, key=lambda step: step.ts_ms), trainings, events)

    def _read(self, received: Received, now_ms: int, *, is_logged: bool = False) -> None:
        if not received.pid:
            raise Unreadable(
                "comes from a process outside of the agent's pid namespace; run the agent in the host's", "pid"
            )
        said = parse(received.payload)
        process = self._process(received.pid, said, now_ms, is_logged=is_logged)
        process.heard_ms = now_ms
        process.ledger.note_number(said.number)
        if said.kind == "step":
            process.fields.update(said.fields)
            at_ms = int(1000 * (said.seconds("time") or 0.0))
            process.ledger.take(said, at_ms if abs(at_ms - now_ms) <= _MOST_SKEW_MS else now_ms)
            if said.text("refused_tokens"):
                self._note_nonsense(process, _NO_COUNT, now_ms)
        elif said.kind == "facts":
            self._take_facts(process, said, now_ms)
        else:
            text = f"the hook in process {received.pid} turned itself off: {said.text('reason')}; the training goes on"
            self._note("warning", "hook_off", text, now_ms)

    def _silent(self, holders: Sequence[Holders]) -> dict[int, ProcessFacts]:
        """The processes that hold devices and whose job tells no steps itself."""
        telling = self._telling()
        held = {process.pid for _, found in holders if not isinstance(found, Absent) for process in found}
        known = {pid: who for pid in held if (who := self._reader.read(pid)) is not None}
        return {pid: who for pid, who in known.items() if who.job.id not in telling}

    def _telling(self) -> set[str]:
        return {process.who.job.id for process in self._processes.values() if not process.is_logged}

    def _read_logs(self, now_ms: int) -> None:
        """What the logs told; of a job whose processes speak themselves it would be the same steps once more."""
        if self._logs is None:
            return
        for problem in self._logs.take_problems():
            self._note("warning", "log_unreadable", problem, now_ms)
        telling = self._telling()
        for received in self._logs.take():
            who = self._reader.read(received.pid)
            if who is not None and who.job.id not in telling:
                self._read(received, now_ms, is_logged=True)

    def _process(self, pid: int, said: Datagram, now_ms: int, *, is_logged: bool) -> _Process:
        known = self._processes.get(pid)
        # A number that falls back is a new process under an old pid, or a program that was executed in its place.
        if known is not None and known.is_logged == is_logged and said.number > known.ledger.number:
            return known
        if known is None and len(self._processes) >= _MOST_PROCESSES:
            raise Unreadable(f"is of one process too many; {_MOST_PROCESSES} are followed on a node", "pid")
        who = self._reader.read(pid)
        if who is None:
            raise Unreadable("comes from a process that has ended already", "pid")
        process = self._processes[pid] = _Process(who, is_logged=is_logged)
        if who.declared and not is_logged:
            # Until a hook tells more; a script that tells its own steps has none.
            lines = ("steelyard 1 facts", "number=0", *who.declared)
            self._take_facts(process, parse("\n".join(lines).encode()), now_ms)
        return process

    def _place(self, pid: int, process: _Process) -> DeviceInfo | None:
        return self._places.device_of(pid, process.facts.device_type, process.facts.device_uuid)

    def _changed(self, process: _Process, device: int | None, now_ms: int) -> list[batch_pb2.Training]:
        if not process.facts.values:
            return []
        row = process.facts.training()
        row.pid, row.start_ms, row.job = process.who.pid, process.who.start_ms, process.who.job.id
        row.run = _run(process)
        if device is not None:
            row.device = device
        for name, value in _ranks(process).items():
            if name != "local_rank":
                setattr(row, name, value)
        content = row.SerializeToString(deterministic=True)
        if content == process.sent and now_ms - process.sent_ms < _FACTS_EVERY_MS:
            return []
        process.sent, process.sent_ms = content, now_ms
        row.ts_ms = now_ms
        return [row]

    def _forget_gone(self) -> None:
        gone, self._gone = self._gone, []
        for pid, process in gone:
            # Another may have come under its number.
            if self._processes.get(pid) is process:
                del self._processes[pid]
                self._note_end(process)

    def _note_end(self, process: _Process) -> None:
        lost = process.ledger.lost
        if lost:
            text = f"{lost} datagrams of process {process.who.pid} were lost; its totals made up for their steps"
            self._note("info", "datagrams_lost", text, process.heard_ms)
        who = process.who
        self._endings.add(Ending(who.job.id, who.pid, _ranks(process).get("rank"), process.heard_ms))

    def _note_dead_ranks(self, now_ms: int) -> None:
        if not self._endings.any:
            return
        heard_ms: dict[str, int] = {}
        for process in self._processes.values():
            job = process.who.job.id
            heard_ms[job] = max(process.heard_ms, heard_ms.get(job, 0))
        ranks = {(process.who.job.id, _ranks(process).get("rank")) for process in self._processes.values()}
        for text in self._endings.judged(heard_ms, ranks, now_ms):
            self._note("warning", "rank_ended", text, now_ms)

    def _refuse(self, pid: int, error: Unreadable, now_ms: int) -> None:
        self.refused += 1
        # Not by its value, which may be another with each step.
        problem = (pid, error.about)
        if problem not in self._refusals and len(self._refusals) < _MOST_EVENTS:
            self._refusals.add(problem)
            text = f"a datagram of process {pid} {error}; it is left out, and so are others like it"
            self._note("warning", "datagram_refused", text, now_ms)

    def _take_facts(self, process: _Process, said: Datagram, now_ms: int) -> None:
        process.fields.update(said.fields)
        process.facts = read_facts(said)
        for problem in process.facts.problems:
            self._note_nonsense(process, problem, now_ms)

    def _note_nonsense(self, process: _Process, problem: str, now_ms: int) -> None:
        if problem not in process.problems:
            process.problems.add(problem)
            self._note("warning", "declared_nonsense", f"process {process.who.pid}: {problem}", now_ms)

    def _note(self, severity: str, code: str, text: str, now_ms: int) -> None:
        log.info("%s: %s", code, text)
        if len(self._events) < _MOST_EVENTS:
            self._events.append(Event(now_ms, severity, code, text, SOURCE))  # type: ignore[arg-type]


def _run(process: _Process) -> str:
    return process.fields.get("run", "")[:256] or process.who.job.id


def _ranks(process: _Process) -> dict[str, int]:
    """What the process's environment says, else what it says itself."""
    known = {name: getattr(process.who.ranks, name) for name in ("rank", "local_rank", "world_size")}
    for name, value in known.items():
        text = process.fields.get(name, "")
        if value is None and text.isascii() and text.isdigit() and len(text) < 9:
            known[name] = int(text)
    return {name: value for name, value in known.items() if value is not None}


def _step(process: _Process, row: Row, device: int | None, share: float | None) -> batch_pb2.Step:
    ranks = _ranks(process)
    step = batch_pb2.Step(
        ts_ms=row.ts_ms,
        device=device,
        devices=share,
        pid=process.who.pid,
        start_ms=process.who.start_ms,
        begin_ms=process.ledger.begin_ms or row.ts_ms,
        job=process.who.job.id,
        run=_run(process),
        data_parallel=process.facts.number("data_parallel"),
        step=row.step,
        steps=row.steps,
        step_time_s=row.seconds / row.steps,
        host_gap_s=row.gap_s,
        mark=row.mark,
        origin=row.origin,
        total_steps=row.total_steps,
        total_tokens=row.total_tokens,
        total_s=row.total_s,
        loss=row.loss,
        rank=ranks.get("rank"),
        local_rank=ranks.get("local_rank"),
        world_size=ranks.get("world_size"),
    )
    _put_tokens(step, process.facts, row, ranks)
    return step


def _put_tokens(step: batch_pb2.Step, facts: Facts, row: Row, ranks: Mapping[str, int]) -> None:
    """Declared tokens are the whole job's, so each rank says them; tensor-parallel ranks see the same ones."""
    declared = facts.number("declared_tokens_per_step")
    batch, length = facts.number("global_batch"), facts.number("sequence_length")
    if declared is None and batch is not None and length is not None and facts.origins["global_batch"] == "declared":
        declared = batch * length
    if declared is not None and not row.mark and "rank" in ranks and not ranks.get("world_size"):
        step.tokens_absent = "declared for the whole job, and how many ranks share them isn't known"
        return
    step.token_copies = ranks.get("world_size") or 1 if declared is not None else facts.number("tensor_parallel") or 1
    if declared is not None and not row.mark:
        step.tokens, step.tokens_origin = declared * row.steps, "declared"
        return
    reason = row.tokens_absent or facts.absent.get("tensor_parallel", "")
    if row.counts[0] is None or (reason and row.origin == "inferred"):
        step.tokens_absent = reason or "no tensor of tokens was seen"
        return
    for name, count in zip(("tokens", "nonpad_tokens", "loss_tokens", "samples"), row.counts, strict=True):
        if count is not None:
            setattr(step, name, count)
    step.tokens_origin = row.origin
