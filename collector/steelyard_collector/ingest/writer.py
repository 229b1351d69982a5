"""The one thread that inserts: gathers messages into blocks, commits them in order, and says what is committed.

A block lies in one table and one UTC day, so it is one part and commits as a whole. Before it, a row of `intent` names
what it holds; after it, `progress` does. A crash in between leaves one block per kind in doubt, which `resume` settles
by looking for one of its rows: no clock is involved.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import pyarrow as pa

from steelyard_collector.ingest.accepted import TABLES, Accepted, Gap, Origin, Rows, Samples
from steelyard_collector.ingest.blocks import sample_block
from steelyard_collector.ingest.record_blocks import gap_block, record_block
from steelyard_collector.store.base import Store
from steelyard_proto.errors import StoreError

log = logging.getLogger(__name__)

# (agent, epoch, kind) to the last sequence number that is committed.
Commits = dict[tuple[int, int, int], int]

_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
# A fleet that connects at once registers in few inserts; alone, an agent doesn't notice the wait.
_GATHER_ROWS_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """How much is gathered, and for how long.

    Attributes:
        period_s: a message waits at most this long for a block.
        block_rows: a block is cut at so many rows: 131,072-262,144 cost the least CPU, merges counted.
        queue_bytes: accepted and not yet committed; above it the door stops reading.
    """

    period_s: float = 1.0
    block_rows: int = 262_144
    queue_bytes: int = 256 << 20


@dataclass(slots=True)
class WriterState:
    """What the writer has done; read by other threads.

    Attributes:
        rows: committed.
        samples: metric values committed, absent ones counted out only by shape.
        blocks: inserted into samples tables.
        block_rows: rows of those blocks.
        insert_s: time spent in inserts.
        failures: inserts that were refused.
        last_error: of the last refusal; empty once an insert succeeded.
        queued_bytes: accepted and not yet committed.
        oldest_s: monotonic time of the oldest queued message; 0 for none.
    """

    rows: int = 0
    samples: int = 0
    blocks: int = 0
    block_rows: int = 0
    insert_s: float = 0.0
    failures: int = 0
    last_error: str = ""
    queued_bytes: int = 0
    oldest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Registered:
    """Rows of a registry table, and who waits for them."""

    table: str
    rows: Sequence[Mapping[str, object]]
    schema: pa.Schema
    done: Callable[[], None]


@dataclass(slots=True)
class _Block:
    """Messages of one table and day, and who is in it."""

    table: str
    day: int
    messages: list[Accepted] = field(default_factory=list)
    rows: int = 0


class Writer:
    """Takes messages from the event loop, writes in its own thread."""

    def __init__(
        self,
        store: Store,
        limits: WriterLimits,
        on_commit: Callable[[Commits], None],
        first_flush: int,
        on_failure: Callable[[Exception], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args: where to; how much; who is told of commits, in this thread; the first flush; who is told of its end."""
        self._store = store
        self._limits = limits
        self._on_commit = on_commit
        self._flush = first_flush
        self._on_failure = on_failure
        self._monotonic = monotonic
        self._run_id = uuid.uuid4().hex
        self._pending: list[Accepted] = []
        self._pending_rows = 0
        self._registered: list[_Registered] = []
        self._registered_s = 0.0
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._is_stopping = False
        self._gives_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.state = WriterState()

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether the door should stop reading."""
        return self.state.queued_bytes > self._limits.queue_bytes

    def put(self, message: Accepted) -> None:
        """Queues a message; never blocks."""
        rows, size = message.rows, message.size
        with self._lock:
            is_first, rows_before = not self._pending, self._pending_rows
            self._pending.append(message)
            self._pending_rows += rows
            self.state.queued_bytes += size
            if is_first:
                self.state.oldest_s = self._monotonic()
            # Once is enough: who doesn't wait looks for itself.
            makes_a_block = rows_before < self._limits.block_rows <= self._pending_rows
            if is_first or makes_a_block or isinstance(message, Gap):
                self._wake.notify()

    def put_rows(
        self, table: str, rows: Sequence[Mapping[str, object]], schema: pa.Schema, done: Callable[[], None]
    ) -> None:
        """Queues rows of the registry; `done` is called in the writer's thread once they are committed."""
        with self._wake:
            if not self._registered:
                self._registered_s = self._monotonic()
                self._wake.notify()
            self._registered.append(_Registered(table, rows, schema, done))

    def stop(self, timeout_s: float) -> bool:
        """Commits what is queued and ends; False if the store refused until the time was over."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)
        self._gives_up.set()
        self._thread.join(2.0)
        return not self._pending and not self.state.queued_bytes

    def _run(self) -> None:
        try:
            self._write_all()
        except Exception as error:  # noqa: BLE001  the daemon is told, which ends and says why
            self._on_failure(error)

    def _write_all(self) -> None:
        while True:
            messages, registered = self._next()
            if not messages and not registered:
                return
            try:
                self._register(registered)
                self._write(messages)
            except _GivenUp:
                log.error("stopped with messages that could not be committed; their agents will send them again")
                return

    def _next(self) -> tuple[list[Accepted], list[_Registered]]:
        """What is due; nothing at the end."""
        messages: list[Accepted] = []
        registered: list[_Registered] = []
        with self._wake:
            while not messages and not registered:
                now_s = self._monotonic()
                if self._pending and (self._is_stopping or self._is_due(now_s)):
                    messages, self._pending, self._pending_rows = self._pending, [], 0
                if self._registered and (self._is_stopping or now_s >= self._registered_s + _GATHER_ROWS_S):
                    registered, self._registered = self._registered, []
                if not messages and not registered:
                    if self._is_stopping:
                        break
                    self._wake.wait(self._wait_s(now_s))
        return messages, registered

    def _is_due(self, now_s: float) -> bool:
        return (
            self._pending_rows >= self._limits.block_rows
            or now_s >= self.state.oldest_s + self._limits.period_s
            or isinstance(self._pending[-1], Gap)
        )

    def _wait_s(self, now_s: float) -> float | None:
        """How long nothing more will be due; None: until something comes."""
        due_s = [self.state.oldest_s + self._limits.period_s] if self._pending else []
        due_s += [self._registered_s + _GATHER_ROWS_S] if self._registered else []
        return max(0.0, min(due_s) - now_s) if due_s else None

    def _register(self, registered: Iterable[_Registered]) -> None:
        by_table: dict[str, list[_Registered]] = {}
        for some in registered:
            by_table.setdefault(some.table, []).append(some)
        for table, entries in by_table.items():
            rows = [row for some in entries for row in some.rows]
            self._insert(table, pa.Table.from_pylist(rows, entries[0].schema))
            for some in entries:
                some.done()

    def _write(self, messages: Sequence[Accepted]) -> None:
        for block in ordered_blocks(messages, self._limits.block_rows):
            commits = self._commit(block)
            size = sum(message.size for message in block.messages)
            with self._wake:
                self.state.queued_bytes -= size
                self.state.oldest_s = self._monotonic() if self._pending else 0.0
            # After the queue has shrunk: who is told looks whether there is room.
            self._on_commit(commits)

    def _commit(self, block: _Block) -> Commits:
        commits: Commits = {}
        for message in block.messages:
            origin = message.origin
            commits[origin.agent, origin.epoch, origin.kind] = (
                int(message.lost.seq_to) if isinstance(message, Gap) else origin.seq
            )
        if block.table == "gap":
            self._insert("gap", gap_block(cast("list[Gap]", block.messages)))
        else:
            self._insert("intent", intent_row(self._flush + 1, block.messages[0].origin, commits, block.day))
            self._insert(block.table, _arrow(block.messages))
            self.state.rows += block.rows
            if isinstance(block.messages[0], Samples):
                self.state.blocks += 1
                self.state.block_rows += block.rows
                self.state.samples += sum(_samples(message) for message in block.messages)
            self._insert("progress", progress_rows(commits))
        return commits

    def _insert(self, table: str, rows: pa.Table) -> None:
        """Inserts until it is committed; the token makes a repeat of a block that was committed after all harmless.

        Raises:
            _GivenUp: the collector is to end.
        """
        self._flush += 1
        token = f"{self._run_id}-{self._flush}"
        begin_s = self._monotonic()
        for attempt in range(1_000_000_000):
            try:
                self._store.insert(table, rows, token=token)
                break
            except StoreError as error:
                self.state.failures += 1
                if str(error) != self.state.last_error:
                    log.error("the store refuses %s (kept and tried again): %s", table, error)
                self.state.last_error = str(error)
                if self._gives_up.wait(_RETRY_S[min(attempt, len(_RETRY_S) - 1)]):
                    raise _GivenUp from error
        self.state.last_error = ""
        self.state.insert_s += self._monotonic() - begin_s


class _GivenUp(Exception):
    """The collector ends while ClickHouse refuses."""


def ordered_blocks(messages: Sequence[Accepted], block_rows: int) -> list[_Block]:
    """Cuts messages into blocks by table, day and size, so that each agent's messages of a kind commit in order."""
    blocks: list[_Block] = []
    last_block: dict[tuple[int, int, int], int] = {}
    open_blocks: dict[tuple[str, int], int] = {}
    for message in messages:
        origin = message.origin
        table = "gap" if isinstance(message, Gap) else TABLES[origin.kind]
        stream = (origin.agent, origin.epoch, origin.kind)
        index = open_blocks.get((table, message.day), -1)
        # A clock that jumps over midnight and back must not let a later message commit first.
        if index < max(0, last_block.get(stream, 0)) or blocks[index].rows >= block_rows:
            blocks.append(_Block(table, message.day))
            index = open_blocks[table, message.day] = len(blocks) - 1
        blocks[index].messages.append(message)
        blocks[index].rows += message.rows
        last_block[stream] = index
    return blocks


def _arrow(messages: Sequence[Accepted]) -> pa.Table:
    try:
        if isinstance(messages[0], Samples):
            return sample_block(cast("Sequence[Samples]", messages))
        return record_block(cast("Sequence[Rows]", messages))
    except (pa.ArrowException, ValueError, TypeError, KeyError) as error:
        if len(messages) > 1:
            for message in messages:
                _arrow([message])
        origin = messages[0].origin
        error.add_note(f"in the message of agent {origin.agent}, kind {origin.kind}, seq {origin.seq}")
        raise


def _samples(message: Accepted) -> int:
    if not isinstance(message, Samples):
        return 0
    return message.rows * (len(message.shape.gauges) + len(message.shape.counters))


def intent_row(flush: int, first: Origin, commits: Commits, day: int) -> pa.Table:
    """What the next block of a kind will hold, and one message of it to look for."""
    keys = sorted(commits)
    return pa.table(
        {
            "kind": pa.array([first.kind], pa.uint8()),
            "flush": pa.array([flush], pa.uint64()),
            "day": pa.array([day], pa.date32()),
            "agents": pa.array([[agent for agent, _, _ in keys]], pa.list_(pa.uint32())),
            "epochs": pa.array([[epoch for _, epoch, _ in keys]], pa.list_(pa.uint32())),
            "seqs": pa.array([[commits[key] for key in keys]], pa.list_(pa.uint64())),
            "sign_agent": pa.array([first.agent], pa.uint32()),
            "sign_epoch": pa.array([first.epoch], pa.uint32()),
            "sign_seq": pa.array([first.seq], pa.uint64()),
        }
    )


def progress_rows(commits: Commits) -> pa.Table:
    """What is committed, by agent, epoch and kind."""
    keys = sorted(commits)
    return pa.table(
        {
            "agent": pa.array([agent for agent, _, _ in keys], pa.uint32()),
            "epoch": pa.array([epoch for _, epoch, _ in keys], pa.uint32()),
            "kind": pa.array([kind for _, _, kind in keys], pa.uint8()),
            "seq": pa.array([commits[key] for key in keys], pa.uint64()),
            "recorded": pa.array([int(time.time() * 1000)] * len(keys), pa.timestamp("ms", tz="UTC")),
        }
    )
