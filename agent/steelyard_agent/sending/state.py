"""What the sender has done and knows."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class SenderState:
    """Written by the sender's thread, read by others.

    Attributes:
        sent: messages, repeats counted.
        acked: messages that the collector has acknowledged.
        welcomes: streams that the collector has welcomed.
        refused: messages that the collector will not take.
        flush_ms: how long it wants the agent to gather; None before the first Welcome.
        offset_ms: its clock less ours; None before the first Welcome.
        is_connected: a stream is open and welcomed.
        is_draining: the agent ends; once the spool is sent the stream is to be ended too.
        last_error: why the last stream ended, empty while one is open.
        caution: streams in a row whose end had no status, for a write failed at the same time.
        refusals: kind and number of messages that are to be declared lost.
    """

    sent: int = 0
    acked: int = 0
    welcomes: int = 0
    refused: int = 0
    flush_ms: int | None = None
    offset_ms: float | None = None
    is_connected: bool = False
    is_draining: bool = False
    last_error: str = ""
    caution: int = 0
    refusals: set[tuple[int, int]] = field(default_factory=set)

    @property
    def reconnects(self) -> int:
        """Streams that were opened after the first."""
        return max(0, self.welcomes - 1)
