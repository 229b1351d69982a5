"""Events of a trace in Chrome's JSON, block by block, so that a trace of any size takes the memory of a block.

A block ends between two events. Where that is can't be told from a few bytes alone, so the last place that looks like
it is tried: a block cut there is valid JSON, or the place was inside an event and the one before it is tried.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from steelyard_traces.trace_file import TraceText

_BLOCK_BYTES: Final = 4 << 20
_EVENT_BYTES_MAX: Final = 64 << 20
_TRIES: Final = 64
_EVENTS_KEY: Final = re.compile(rb'"traceEvents"\s*:\s*\[')
_NEXT_EVENT: Final = re.compile(rb"\}\s*,\s*(?=\{)")
_NO_JSON_NUMBER: Final = re.compile(rb"(?<=[:,\[ \n])\s*-?(?:NaN|nan|Infinity|inf)(?=\s*[,}\]])")
_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")
_AT_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_SPACE: Final = b" \t\r\n"

Name = str | int | float | None
NOTHING: Final = msgspec.Raw(b"")


class Arguments(msgspec.Struct, gc=False):
    """What is used of an event's arguments."""

    correlation: Any = None
    dims: msgspec.Raw = msgspec.field(default=NOTHING, name="Input Dims")
    types: msgspec.Raw = msgspec.field(default=NOTHING, name="Input type")
    collective: Name = msgspec.field(default=None, name="Collective name")


class Event(msgspec.Struct, gc=False):
    """What is used of an event; `ts` and `dur` are microseconds, as a string in some exports."""

    ph: str = ""
    cat: str | None = None
    name: Name = None
    pid: Name = None
    tid: Name = None
    ts: float | str | None = None
    dur: float | str | None = None
    args: Arguments | None = None


class _Digits(msgspec.Struct, gc=False):
    ph: str = ""
    ts: msgspec.Raw = msgspec.Raw(b"")
    dur: msgspec.Raw = msgspec.Raw(b"")


_DIGITS: Final = msgspec.json.Decoder(list[_Digits])
_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Block:
    """Some events and their text.

    Attributes:
        events: of the kind that the reader was asked for.
        skipped: events that were left out because they are none: a number as their category, a list as their time.
    """

    text: bytes
    events: list[Any]
    skipped: int = 0

    def digits(self) -> list[tuple[bytes, bytes]]:
        """`ts` and `dur` of each event that has a length (`ph` X) as they are written."""
        return [(bytes(event.ts), bytes(event.dur)) for event in _DIGITS.decode(self.text) if event.ph == "X"]


@dataclass(slots=True)
class EventReader:
    """Reads one trace.

    Attributes:
        facts: what the trace says of itself beside its events: `deviceProperties`, `distributedInfo` ...; complete
            once all blocks are read.
        kind: the struct that an event is read as; fields that it lacks are skipped.
        block_bytes: how much is read before a block is cut; events that are longer are waited for.
    """

    text: TraceText
    kind: type[msgspec.Struct] = Event
    facts: dict[str, Any] = field(default_factory=dict)
    block_bytes: int = _BLOCK_BYTES
    _rest: bytes = b""
    _read_bytes: int = 0
    _is_array: bool = False
    _one: msgspec.json.Decoder[Any] = field(init=False)
    _many: msgspec.json.Decoder[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Prepares the decoders."""
        self._one = msgspec.json.Decoder(self.kind)
        self._many = msgspec.json.Decoder(list[self.kind])  # type: ignore[name-defined]

    def blocks(self) -> Iterator[Block]:
        """All events, in the order of the file.

        Raises:
            TraceError: the file is no trace, is cut off, or is no JSON at some byte.
        """
        self._find_events()
        size = self.block_bytes
        while self._fill(size):
            block = self._cut()
            if block is None:
                size *= 2
                if size > _EVENT_BYTES_MAX:
                    raise self._error(f"no event ends within {_EVENT_BYTES_MAX >> 20} MiB; this is no trace of events")
                continue
            size = self.block_bytes
            yield block
        yield self._last()

    def _fill(self, size: int) -> bool:
        """Reads until there are `size` bytes; False where the text ended before."""
        if len(self._rest) < size:
            more = self.text.read(size - len(self._rest))
            self._read_bytes += len(more)
            self._rest += more
        return len(self._rest) >= size

    def _find_events(self) -> None:
        self._fill(_BLOCK_BYTES)
        begin = self._rest.lstrip(_SPACE)
        if begin.startswith(b"["):
            self._is_array = True
            self._rest = begin[1:]
            return
        found = _EVENTS_KEY.search(self._rest)
        if not begin.startswith(b"{") or not found:
            raise self.text.error("no `traceEvents` in it; give a trace of torch.profiler (.json, .json.gz)", 0)
        self._keep_facts(self._rest[: found.start()].rstrip(_SPACE + b",") + b"}", 0)
        self._rest = self._rest[found.end() :]

    def _cut(self) -> Block | None:
        """The block of all whole events that were read; None where none can be found yet."""
        end = len(self._rest)
        for _ in range(_TRIES):
            end = self._rest.rfind(b"}", 0, end)
            if end < 0:
                return None
            gap = _NEXT_EVENT.match(self._rest, end)
            if not gap:
                continue
            text = b"[" + self._rest[: end + 1] + b"]"
            try:
                block = self._decode(text)
            except msgspec.DecodeError as error:
                if _TRAILING.search(str(error)):
                    return None  # the events end within: what follows is read with them
                place = _AT_BYTE.search(str(error))
                if place and int(place[1]) < len(text) - 1:
                    raise self._malformed(error) from error
                continue
            self._rest = self._rest[gap.end() :]
            return block
        return None

    def _last(self) -> Block:
        """The events up to the end of their list, and the facts behind it."""
        text = b"[" + self._rest
        try:
            block = self._decode(text)
        except msgspec.DecodeError as error:
            trailing = _TRAILING.search(str(error))
            if not trailing:
                raise self._malformed(error) from error
            end = int(trailing[1])
            # The byte that is named is the first one behind the list or the space before it.
            end = text.rfind(b"]", 0, end) + 1
            block = self._decode(text[:end])
            behind = text[end:].strip(_SPACE)
            if self._is_array:
                raise self._error("text behind the end of its list; copy the file again") from error
            self._keep_facts(b'{"":0' + behind, self._read_bytes - len(behind))
            return block
        if not self._is_array:
            raise self._error("ends before its end; the process died while it wrote, or the copy is not complete")
        return block

    def _decode(self, text: bytes) -> Block:
        try:
            return Block(text, self._many.decode(text))
        except msgspec.ValidationError:
            return _only_events(text, self._one)
        except UnicodeDecodeError as error:
            at = self._read_bytes - len(self._rest) - 1 + max(text.find(error.object), 0) + error.start
            raise self.text.error("not UTF-8; write the file as UTF-8 (iconv -t UTF-8)", at) from error
        except msgspec.DecodeError as error:
            if "invalid" not in str(error):
                raise
            mended = _NO_JSON_NUMBER.sub(b"null", text)
            if mended == text:
                raise
            return Block(mended, self._many.decode(mended))

    def _keep_facts(self, text: bytes, at: int) -> None:
        try:
            facts = msgspec.json.decode(_NO_JSON_NUMBER.sub(b"null", text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self.text.error(f"no JSON beside the events ({error}); copy the file again", at) from error
        facts.pop("", None)
        self.facts.update(facts)

    def _malformed(self, error: msgspec.DecodeError) -> Exception:
        place = _AT_BYTE.search(str(error))
        if not place:
            return self._error(
                "ends in the middle of an event; the process died while it wrote, or the copy is not whole"
            )
        at = self._read_bytes - len(self._rest) + int(place[1]) - 1
        return self.text.error(f"no JSON ({error}); record again or copy the file again", at)

    def _error(self, message: str) -> Exception:
        return self.text.error(message, self._read_bytes)


def _only_events(text: bytes, decoder: msgspec.json.Decoder[Any]) -> Block:
    """What can be read of a block in which something is not of the kind that it should be."""
    events, texts, skipped = [], [], 0
    for raw in _RAW.decode(text):
        try:
            events.append(decoder.decode(raw))
            texts.append(bytes(raw))
        except msgspec.ValidationError:
            skipped += 1
    return Block(b"[" + b",".join(texts) + b"]", events, skipped)
