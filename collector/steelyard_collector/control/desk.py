"""Which asks are open, whose they are, and where their answers go."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from steelyard_collector.control.inbox import Gone, Inbox
from steelyard_proto.v1 import ingest_pb2

# Takes an agent's number; False where its stream isn't open.
Send = Callable[[int, ingest_pb2.Ask], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class _Open:
    """An ask that was sent."""

    agent: int
    inbox: Inbox


class Desk:
    """Stands between the agents' streams and those who ask; in the event loop of both."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self.unasked = 0

    def open(self, ask_id: str, agent: int, inbox: Inbox) -> None:
        """From now on this agent's answers to this id go into the inbox."""
        self._open[ask_id] = _Open(agent, inbox)

    def close(self, ask_id: str) -> None:
        """Later answers are dropped."""
        self._open.pop(ask_id, None)

    async def answered(self, agent: int, answer: ingest_pb2.Answer) -> None:
        """An agent's answer; one that nobody waits for, or that another agent was asked for, is dropped and counted."""
        found = self._open.get(answer.id)
        if found is None or found.agent != agent:
            self.unasked += 1
            return
        await found.inbox.put(answer)

    def gone(self, agent: int) -> None:
        """The agent's stream has ended: nothing that was asked on it is answered any more."""
        for ask_id in [ask_id for ask_id, found in self._open.items() if found.agent == agent]:
            self._open.pop(ask_id).inbox.add(Gone(ask_id))
