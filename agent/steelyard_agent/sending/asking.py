"""The seam between the stream and whoever answers what the collector asks."""

from typing import Protocol

from steelyard_proto.v1 import ingest_pb2


class Asked(Protocol):
    """Answers asks. Called by the sender's thread; no call waits."""

    def ask(self, ask: ingest_pb2.Ask) -> None:
        """Takes an ask."""
        ...

    def pause(self, *, is_paused: bool) -> None:
        """Takes whether the collector wants no profiles but those that people ask for."""
        ...

    def next_answer(self) -> ingest_pb2.Answer | None:
        """The next answer to send, if one waits; the sender is woken when one comes."""
        ...

    def lose(self) -> None:
        """The stream has ended; its asks are void."""
        ...


class NothingAsked:
    """Of an agent that has nothing to ask for."""

    def __init__(self) -> None:
        self._refused: list[str] = []

    def ask(self, ask: ingest_pb2.Ask) -> None:
        """Refuses it, with what to do."""
        if ask.WhichOneof("what") != "cancel" and len(self._refused) < 100:
            self._refused.append(ask.id)

    def pause(self, *, is_paused: bool) -> None:
        """There is nothing to pause."""

    def next_answer(self) -> ingest_pb2.Answer | None:
        """The refusals."""
        if not self._refused:
            return None
        text = "profiling is off on this node; set profiling.enabled = true in the agent's settings"
        return ingest_pb2.Answer(id=self._refused.pop(0), state="failed", text=text, is_last=True)

    def lose(self) -> None:
        """Forgets them."""
        self._refused.clear()
