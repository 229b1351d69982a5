"""Follows the logs of trainings that tell nothing themselves, and tells their steps in datagrams of the origin log."""

import logging
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.training.endpoint import Received
from steelyard_agent.training.matching import LineReader, Matcher
from steelyard_agent.training.tail import Tail, Unreadable
from steelyard_proto.trainlog import Progress

log = logging.getLogger(__name__)

_POLL_S: Final = 1.0
# Logs that say nothing new are looked at ever more rarely, up to this; a second longer after each so many looks.
_LONGEST_POLL_S: Final = 5.0
_QUIET_LOOKS: Final = 10
_MOST_LOGS: Final = 256
_MOST_WAITING: Final = 20_000


@dataclass(slots=True)
class _Member:
    """One process whose training a log tells of: its totals since it was followed."""

    who: ProcessFacts
    number: int = 0
    steps: int = 0
    seconds: float = 0.0
    tokens: float = 0.0
    token_steps: int = 0
    marked_steps: int = 0
    marked_seconds: float = 0.0
    facts: Sequence[str] = ()


@dataclass(slots=True)
class _Followed:
    """One file, and the processes that it tells of."""

    tail: Tail
    reader: LineReader
    members: dict[int, _Member] = field(default_factory=dict)


class LogFollower:
    """Reads in a thread of its own: a file may lie on a network's disk that hangs."""

    def __init__(self, matcher: Matcher) -> None:
        """Args: who knows the trainers' lines. Nothing is read before `start` or `poll`."""
        self._matcher = matcher
        self._wanted: Mapping[int, ProcessFacts] = {}
        self._met: Mapping[int, ProcessFacts] = {}
        self._followed: dict[tuple[str, str], _Followed] = {}
        self._refused: set[tuple[int, int]] = set()
        self._awaited: set[tuple[str, str]] = set()
        self._waiting: deque[Received] = deque(maxlen=_MOST_WAITING)
        self._problems: deque[str] = deque(maxlen=100)
        self._is_stopping = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def want(self, processes: Mapping[int, ProcessFacts]) -> None:
        """Says whose logs to follow, by pid; called by the sampling thread."""
        self._wanted = dict(processes)
        if self._wanted:
            self._wake.set()

    def take(self) -> list[Received]:
        """What the logs told since the last call."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def take_problems(self) -> list[str]:
        """Logs that can't be followed, a sentence each, told once."""
        return [self._problems.popleft() for _ in range(len(self._problems))]

    def close(self) -> None:
        """Ends."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(2 * _POLL_S)
        self._matcher.close()

    def _run(self) -> None:
        quiet_looks = 0
        while True:
            self._wake.clear()
            if self._is_stopping:
                return
            quiet_looks = 0 if self.poll() else quiet_looks + 1
            # Where no log is followed or awaited the thread sleeps until `want` names one.
            self._wake.wait(_pause_s(quiet_looks) if self._followed or self._awaited else None)

    def poll(self) -> bool:
        """Looks once at every log; whether any had a new line."""
        is_any_new = False
        wanted = self._wanted
        # Which processes there are is told anew each few looks; a log that isn't there yet is looked for at each.
        if wanted is not self._met or self._awaited:
            self._met = wanted
            self._meet_all(wanted)
        for followed in self._followed.values():
            try:
                lines = followed.tail.read()
            except (Unreadable, OSError) as error:
                log.info("a log is no longer read: %s", error)
                continue
            for line in lines:
                is_any_new = True
                told = followed.reader.read(line)
                if told is not None:
                    for member in followed.members.values():
                        self._tell(member, told)
        if problem := self._matcher.take_problem():
            self._problems.append(problem)
        return is_any_new

    def _meet_all(self, wanted: Mapping[int, ProcessFacts]) -> None:
        self._forget(wanted)
        for pid, who in wanted.items():
            if who.log and (pid, who.start_ms) not in self._refused:
                try:
                    self._meet(pid, who)
                except (Unreadable, OSError) as error:
                    self._refuse(who, error)

    def _meet(self, pid: int, who: ProcessFacts) -> None:
        key = (who.job.id, who.log_name or _file_of(who.log))
        followed = self._followed.get(key)
        if followed is None:
            if len(self._followed) >= _MOST_LOGS:
                return
            if not os.path.exists(who.log):
                self._awaited.add(key)
                return
            tail, reader = Tail(Path(who.log), who.uid), self._matcher.reader()
            for line in tail.open(is_new=key in self._awaited):
                reader.read_facts(line)
            log.info("the log of job %s is followed: %s", who.job.id, who.log)
            followed = self._followed[key] = _Followed(tail, reader)
        known = followed.members.get(pid)
        if known is None or known.who.start_ms != who.start_ms:
            followed.members[pid] = _Member(who)

    def _forget(self, wanted: Mapping[int, ProcessFacts]) -> None:
        for key, followed in list(self._followed.items()):
            for pid in followed.members.keys() - wanted.keys():
                del followed.members[pid]
            if not followed.members:
                followed.tail.close()
                del self._followed[key]
        self._refused &= {(who.pid, who.start_ms) for who in wanted.values()}
        self._awaited &= {(who.job.id, who.log_name) for who in wanted.values()}

    def _refuse(self, who: ProcessFacts, error: Exception) -> None:
        self._refused.add((who.pid, who.start_ms))
        if who.log_is_named:
            self._problems.append(f"STEELYARD_LOG of process {who.pid} {error}")

    def _tell(self, member: _Member, told: Progress) -> None:
        tokens, absent = _tokens_of(member.who, told)
        if told.mark:
            member.marked_steps += told.steps
            member.marked_seconds += told.seconds
        else:
            member.steps += told.steps
            member.seconds += told.seconds
            if tokens is not None:
                member.tokens += tokens
                member.token_steps += told.steps
        facts = _facts_of(member.who, told)
        if facts != member.facts:
            member.facts = facts
            self._send(member, "facts", facts)
        fields = [
            "origin=log", f"steps={member.steps}", f"seconds={member.seconds:.6f}",
            f"marked_steps={member.marked_steps}", f"marked_seconds={member.marked_seconds:.6f}",
            f"mark={told.mark}", f"step_seconds={told.seconds / told.steps:.6f}", f"tokens_absent={absent}",
        ]  # fmt: skip
        if told.loss is not None:
            fields.append(f"loss={told.loss!r}")
        if member.token_steps:
            fields += [f"tokens={round(member.tokens)}", f"token_steps={member.token_steps}"]
        self._send(member, "step", fields)

    def _send(self, member: _Member, kind: str, fields: Sequence[str]) -> None:
        member.number += 1
        text = "\n".join([f"steelyard 1 {kind}", f"number={member.number}", *fields])
        self._waiting.append(Received(member.who.pid, text.encode()))


def _pause_s(quiet_looks: int) -> float:
    return min(_LONGEST_POLL_S, _POLL_S * (1 + quiet_looks // _QUIET_LOOKS))


def _file_of(path: str) -> str:
    """Ranks whose outputs go into one file have one log."""
    found = os.stat(path)
    return f"{found.st_dev}:{found.st_ino}"


def _tokens_of(who: ProcessFacts, told: Progress) -> tuple[float | None, str]:
    """One rank's part of the job's tokens."""
    world_size = told.facts.get("world_size") or who.ranks.world_size
    if world_size is None and who.ranks.rank is None:
        # Nobody launched it as one of several.
        world_size = 1
    if told.tokens is not None and world_size:
        return told.tokens / world_size, ""
    if told.device_tokens is not None:
        return told.device_tokens, ""
    return None, told.tokens_absent or "the log doesn't say how many ranks share its tokens"


def _facts_of(who: ProcessFacts, told: Progress) -> list[str]:
    """What the log says, and what the process's environment declares: no hook in the process tells that."""
    known = {"sequence_length": "sequence_length", "samples": "global_batch", "parameters": "parameters"}
    logged = [f"log.{field_name}={int(told.facts[name])}" for name, field_name in known.items() if told.facts.get(name)]
    if told.facts.get("world_size"):
        logged.append(f"world_size={int(told.facts['world_size'])}")
    return [*logged, *who.declared]
