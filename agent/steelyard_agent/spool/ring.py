"""The bounded ring of segments on disk that every message passes through before it is sent.

What is promised: a message leaves the ring when it is acknowledged, or when the ring is full and it is the oldest.
It survives a kill at any time. `sync` puts it on the disk itself; the sender calls it before it sends, so that
what the collector has acknowledged can't be newer than what a power cut leaves here.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.spool.holding import take_directory
from steelyard_agent.spool.losses import Losses
from steelyard_agent.spool.numbering import STATE_FILE, Numbering, read_numbering, write_numbering
from steelyard_agent.spool.reading import Cursor, Spooled, read_some
from steelyard_agent.spool.record import frame
from steelyard_agent.spool.segment import Segment, Span, learn_layouts, scan_segment, uncommitted_spans
from steelyard_agent.spool.segment_file import SegmentFile, sync_files
from steelyard_proto.errors import SpoolError
from steelyard_proto.v1 import ingest_pb2

log = logging.getLogger(__name__)

# A sixteenth of the ring at most: what is dropped at once when it is full.
_SEGMENTS: Final = 16
# Read for sending while the sampling thread may have to wait for the lock.
_READ_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class RingCounts:
    """What has happened to messages since the start."""

    spooled: int = 0
    lost: int = 0
    write_errors: int = 0


class Ring:
    """A spool directory, held by one agent at a time. All methods may be called from any thread."""

    def __init__(
        self, directory: Path, max_bytes: int, hello: Callable[[], ingest_pb2.Hello], now_s: Callable[[], float]
    ) -> None:
        """Opens the ring and reads what an earlier run has left.

        Args:
            directory: made if need be.
            max_bytes: on disk at most.
            hello: what each segment begins with: all devices and layouts of the epoch.
            now_s: Unix time, for the epoch of a new spool.

        Raises:
            SpoolError: the directory can't be used, or another agent uses it.
        """
        self.directory = directory
        self.counts = RingCounts()
        self._max_bytes = max_bytes
        self._segment_bytes = max(64 * 1024, max_bytes // _SEGMENTS)
        self._hello = hello
        self._lock = threading.Lock()
        self._kinds: dict[int, int] = {}
        self._segments: list[Segment] = []
        self._committed: dict[int, int] = {}
        self._losses = Losses()
        self._now_s = now_s
        self._is_started = False
        # A device or layout could not be written down: the next segment's Hello is to tell it.
        self._is_undeclared = False
        self._last_number = 0
        self._file = SegmentFile(directory, self._segment_bytes)
        self._lock_file = take_directory(directory)
        state = read_numbering(directory)
        self.epoch: int = state.epoch if state else int(now_s())
        self._next: dict[int, int] = state.next if state else {}
        self.left_hello: ingest_pb2.Hello | None = None
        if state is not None:
            self._read_segments()
        else:
            self._remove_foreign_segments()

    def start(self) -> None:
        """Begins the first segment of this run; `hello` is called from now on."""
        with self._lock:
            self._is_started = True
            try:
                self._begin_segment()
            except OSError as error:
                self._count_write_error(error)

    def renew(self) -> None:
        """Begins a new epoch and forgets what isn't sent: the collector knows more of the old one than this spool.

        Only an old copy of the directory, or a disk that lost what it had synced, leads here.
        """
        with self._lock:
            log.warning("%s: is older than what the collector holds; a new epoch begins", self.directory)
            self.epoch = max(int(self._now_s()), self.epoch + 1)
            self._next, self._committed = {}, {}
            self._losses.clear()
            while self._segments:
                self._remove_oldest()
            try:
                self._begin_segment()
            except OSError as error:
                self._count_write_error(error)

    def put(self, kind: int, message: ingest_pb2.AgentMessage, from_ms: int, to_ms: int) -> int:
        """Gives a batch or records its number and appends it.

        Never raises for a disk that is full or broken: the message is lost then, counted, and declared to the
        collector when the next one of its kind is sent.

        Returns:
            its sequence number.
        """
        with self._lock:
            seq = self._next.get(kind, 1)
            self._next[kind] = seq + 1
            inner = message.batch if message.WhichOneof("message") == "batch" else message.records
            inner.seq = seq
            if self._append(message):
                self._segments[-1].note(kind, seq, from_ms, to_ms)
                self.counts.spooled += 1
            else:
                self._note_lost(kind, Span(seq, seq, from_ms, to_ms), "disk_full")
            return seq

    def describe(self, message: ingest_pb2.Describe) -> None:
        """Appends new devices and layouts, ahead of the batches that need them."""
        with self._lock:
            learn_layouts(self._kinds, message.layouts)
            if not self._append(ingest_pb2.AgentMessage(describe=message)):
                self._is_undeclared = True

    def sync(self) -> None:
        """Puts what was appended on the disk. Slow on a busy disk: never called by the sampling thread."""
        with self._lock:
            paths = self._file.take_unsynced()
        if paths:
            sync_files(self.directory, paths)

    def commit(self, committed: dict[int, int]) -> None:
        """Takes the collector's word: everything up to these numbers, by kind, is stored for good."""
        with self._lock:
            for kind, seq in committed.items():
                self._committed[kind] = max(seq, self._committed.get(kind, 0))
            while len(self._segments) > 1 and self._segments[0].is_committed(self._committed):
                self._remove_oldest()
            self._losses.forget(self._committed)

    def is_ahead(self, committed: dict[int, int]) -> bool:
        """Whether the collector holds more of this epoch than was ever numbered here: the spool is an old copy."""
        with self._lock:
            return any(seq >= self._next.get(kind, 1) for kind, seq in committed.items())

    def unsent(self, cursor: Cursor, limit_bytes: int) -> Iterator[Spooled]:
        """Messages from the cursor on, oldest first, which moves along. Damaged frames are counted and passed over."""
        taken = 0
        while taken < limit_bytes:
            with self._lock:
                items = self._read_some(cursor, min(_READ_BYTES, limit_bytes - taken))
            if not items:
                return
            for size, item in items:
                taken += size
                yield item

    def lost_reason(self, kind: int, seq: int) -> ingest_pb2.Lost | None:
        """What is known of a range that can't be sent any more, by the number of its first message."""
        with self._lock:
            return self._losses.find(kind, seq)

    def declare_lost(self, item: Spooled, reason: str) -> ingest_pb2.Lost:
        """Gives a message up, for example because the collector refuses it."""
        with self._lock:
            return self._note_lost(item.kind, Span(item.seq, item.seq, item.from_ms, item.to_ms), reason)

    def waiting(self) -> int:
        """Messages that are held here and aren't acknowledged."""
        with self._lock:
            left: dict[int, list[range]] = {}
            for segment in self._segments:
                for kind, span in segment.spans.items():
                    first = max(span.seq_from, self._committed.get(kind, 0) + 1)
                    left.setdefault(kind, []).append(range(first, span.seq_to + 1))
            # Less what was lost between messages that are held.
            return sum(
                len(held) - self._losses.count_within(kind, held) for kind, spans in left.items() for held in spans
            )

    def next_seq(self, kind: int) -> int:
        """The number that the next message of a kind will get."""
        with self._lock:
            return self._next.get(kind, 1)

    def kinds(self) -> list[int]:
        """The kinds that have been numbered."""
        with self._lock:
            return sorted(self._next)

    def bytes_on_disk(self) -> int:
        """The size of all segments."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def close(self) -> None:
        """Syncs and lets the directory go."""
        self.sync()
        with self._lock:
            self._file.close()
            self._lock_file.close()

    # The rest runs with the lock held.

    def _read_segments(self) -> None:
        paths = sorted(self.directory.glob("segment-*.spool"))
        for path in paths:
            number = int(path.stem.split("-")[1])
            scan = scan_segment(number, path, self._kinds)
            if scan.hello is not None:
                self.left_hello = scan.hello
            for damage in scan.damages:
                log.warning("%s: byte %d: %s", path, damage.offset, damage.reason)
            if scan.damages and scan.damages[-1].is_torn_tail:
                os.truncate(path, scan.end if not scan.segment.spans else scan.damages[-1].offset)
                scan.segment.size = path.stat().st_size
            self._segments.append(scan.segment)
            self._last_number = number
            for kind, span in scan.segment.spans.items():
                self._next[kind] = max(self._next.get(kind, 1), span.seq_to + 1)

    def _begin_segment(self) -> None:
        number = self._last_number + 1
        path = self.directory / f"segment-{number:010d}.spool"
        hello = self._hello()
        learn_layouts(self._kinds, hello.layouts)
        write_numbering(self.directory, Numbering(self.epoch, self._next))
        data = frame(ingest_pb2.AgentMessage(hello=hello).SerializeToString())
        self._file.begin(path, data)
        self._last_number = number
        self._is_undeclared = False
        self._segments.append(Segment(number, path, size=len(data)))

    def _append(self, message: ingest_pb2.AgentMessage) -> bool:
        data = frame(message.SerializeToString())
        if not self._is_started:
            raise SpoolError(f"{self.directory}: a message came before the ring was started")
        try:
            self._write(data)
        except OSError as error:
            self._count_write_error(error)
            if not self._make_room():
                return False
            try:
                self._write(data)
            except OSError:
                return False
        self._file.note_success()
        return True

    def _write(self, data: bytes) -> None:
        is_fitting = self._file.is_open and self._segments[-1].size + len(data) <= self._segment_bytes
        if self._is_undeclared or not is_fitting:
            self._begin_segment()
        while sum(s.size for s in self._segments) + len(data) > self._max_bytes and len(self._segments) > 1:
            self._drop_oldest("ring_full")
        segment = self._segments[-1]
        self._file.append(data, segment.size)
        segment.size += len(data)

    def _make_room(self) -> bool:
        """On a full disk the oldest segment makes room, as when the ring is full; the last one if all of it is sent."""
        if len(self._segments) > 1:
            self._drop_oldest("disk_full")
            return True
        if not self._file.is_open or not self._segments[0].spans or not self._segments[0].is_committed(self._committed):
            return False
        self._file.close()
        self._remove_oldest()
        return True

    def _count_write_error(self, error: OSError) -> None:
        self.counts.write_errors += 1
        self._file.note_failure(error)

    def _remove_foreign_segments(self) -> None:
        """Without the state file nobody knows their epoch's numbers, so they can't be sent exactly once."""
        for path in sorted(self.directory.glob("segment-*.spool")):
            log.warning("%s: removed, for %s is missing or damaged", path, STATE_FILE)
            path.unlink(missing_ok=True)

    def _drop_oldest(self, reason: str) -> None:
        for kind, span in uncommitted_spans(self._segments[0], self._kinds, self._committed).items():
            self._note_lost(kind, span, reason)
        self._remove_oldest()

    def _remove_oldest(self) -> None:
        self._segments.pop(0).path.unlink(missing_ok=True)

    def _note_lost(self, kind: int, span: Span, reason: str) -> ingest_pb2.Lost:
        self.counts.lost += span.seq_to - span.seq_from + 1
        return self._losses.note(kind, span, reason)

    def _read_some(self, cursor: Cursor, limit_bytes: int) -> list[tuple[int, Spooled]]:
        while (segment := self._segment_at(cursor)) is not None:
            is_last = segment is self._segments[-1]
            items = read_some(segment, cursor, limit_bytes, self._kinds, self._committed)
            if items or is_last:
                return items
            cursor.segment, cursor.offset = segment.number + 1, 0
        return []

    def _segment_at(self, cursor: Cursor) -> Segment | None:
        for segment in self._segments:
            if segment.number == cursor.segment:
                return segment
            if segment.number > cursor.segment:
                cursor.segment, cursor.offset = segment.number, 0
                return segment
        return None
