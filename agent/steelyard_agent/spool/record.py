"""Framing of messages on disk: u32 length, u32 crc32, then the bytes of one AgentMessage, little-endian.

A spool segment is a row of such frames, a recording the same row compressed with zlib as a whole. The first frame
of both is a Hello, so that each can be read alone.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from steelyard_proto.errors import SpoolError

_HEADER: Final = struct.Struct("<II")
HEADER_BYTES: Final = _HEADER.size
# No message of ours comes near; a longer length is damage, and must not be believed when allocating.
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it stood on disk, from byte `offset` to byte `end` of its file."""

    offset: int
    end: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """A place that can't be read. A torn tail is what a crash leaves; anything else is a fault of the disk."""

    offset: int
    end: int
    reason: str
    is_torn_tail: bool


def frame(payload: bytes) -> bytes:
    """The bytes to append for one message."""
    if len(payload) > MAX_FRAME_BYTES:
        raise SpoolError(f"a message of {len(payload)} bytes is over the limit of {MAX_FRAME_BYTES}")
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def read_frame(file: BinaryIO, offset: int) -> Frame | Damage | None:
    """Reads the frame at an offset; None at the end of the file.

    A frame whose checksum is wrong gives a `Damage` that ends where the frame would have ended, so that reading can
    go on behind it. A length that can't be true, or one that runs over the end of the file, is a torn tail.
    """
    file.seek(offset)
    header = file.read(HEADER_BYTES)
    if not header:
        return None
    if len(header) < HEADER_BYTES:
        return Damage(offset, offset + len(header), "the header is cut off", is_torn_tail=True)
    length, checksum = _HEADER.unpack(header)
    if length > MAX_FRAME_BYTES:
        return Damage(offset, offset + HEADER_BYTES, f"a length of {length} bytes", is_torn_tail=True)
    payload = file.read(length)
    end = offset + HEADER_BYTES + len(payload)
    if len(payload) < length:
        return Damage(offset, end, f"{len(payload)} of {length} bytes are there", is_torn_tail=True)
    if zlib.crc32(payload) != checksum:
        return Damage(offset, end, "the checksum is wrong", is_torn_tail=False)
    return Frame(offset, end, payload)


def read_frames(file: BinaryIO, offset: int = 0) -> Iterator[Frame | Damage]:
    """All frames from an offset on; ends at the end of the file or behind a torn tail."""
    while (item := read_frame(file, offset)) is not None:
        yield item
        if isinstance(item, Damage) and item.is_torn_tail:
            return
        offset = item.end


def read_recording(path: Path) -> Iterator[bytes]:
    """The messages of a recording, as AgentMessage bytes; the first is a Hello.

    Raises:
        SpoolError: the file can't be read, isn't a recording, or is damaged; names the file and the place.
    """
    decompressor = zlib.decompressobj()
    pending = bytearray()
    consumed = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 16):
                pending += decompressor.decompress(chunk)
                used = 0
                for payload, end in _whole_frames(pending, path, consumed):
                    yield payload
                    used = end
                del pending[:used]
                consumed += used
    except OSError as error:
        raise SpoolError(f"{path}: can't be read: {error.strerror}") from error
    except zlib.error as error:
        raise SpoolError(f"{path}: isn't a recording, or is damaged: {error}") from error
    if pending or not decompressor.eof:
        raise SpoolError(f"{path}: ends in the middle of a message, {consumed} bytes in; what was read before holds")


def _whole_frames(data: bytearray, path: Path, consumed: int) -> Iterator[tuple[bytes, int]]:
    offset = 0
    while len(data) - offset >= HEADER_BYTES:
        length, checksum = _HEADER.unpack_from(data, offset)
        if length > MAX_FRAME_BYTES:
            raise SpoolError(f"{path}: a length of {length} bytes stands at byte {consumed + offset}")
        end = offset + HEADER_BYTES + length
        if end > len(data):
            return
        payload = bytes(data[offset + HEADER_BYTES : end])
        if zlib.crc32(payload) != checksum:
            raise SpoolError(f"{path}: the checksum at byte {consumed + offset} is wrong")
        yield payload, end
        offset = end
