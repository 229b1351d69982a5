"""Opens a trace as a stream of text in UTF-8, plain or gzipped, whatever its name says, and bounded."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from steelyard_proto.errors import TraceError

_GZIP: Final = b"\x1f\x8b"
_OTHER_PACKERS: Final = {b"PK\x03\x04": "unzip", b"\x28\xb5\x2f\xfd": "zstd -d", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}
_OTHER_ENCODINGS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_MAX_RATIO: Final = 200  # traces pack 13 to 20 times, gzip's worst is 1,032
_RATIO_COUNTS_FROM: Final = 64 << 20
_MAX_TEXT: Final = 16 << 30


class TraceText:
    """The text of one trace, read once from its start to its end.

    Attributes:
        path: the file, for what is said of it.
    """

    def __init__(self, path: Path, stream: BinaryIO, packed_bytes: int | None) -> None:
        self.path = path
        self._stream = stream
        self._packed_bytes = packed_bytes
        self._read_bytes = 0

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end; raises TraceError."""
        try:
            data = self._stream.read(size)
        except EOFError as error:
            raise self.error("the gzip stream is cut off; copy the file again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self.error(f"the gzip stream is broken ({error}); copy the file again") from error
        except OSError as error:
            raise self.error(str(error.strerror)) from error
        if not self._read_bytes:
            data = self._begin(data)
        self._read_bytes += len(data)
        self._check_size()
        return data

    def error(self, message: str, place: int | None = None) -> TraceError:
        """A fault of this file, at a byte of its text (by default: as far as it was read)."""
        at = self._read_bytes if place is None else place
        return TraceError(message, path=str(self.path), place=f"byte {at:,}")

    def _begin(self, data: bytes) -> bytes:
        for mark, name in _OTHER_ENCODINGS.items():
            if data.startswith(mark):
                raise self.error(f"the text is {name}; write it as UTF-8 (iconv -f {name} -t UTF-8)")
        return data.removeprefix(_UTF8_MARK)

    def _check_size(self) -> None:
        packed = self._packed_bytes
        if packed is not None and self._read_bytes > max(_RATIO_COUNTS_FROM, packed * _MAX_RATIO):
            raise self.error(f"unpacks to more than {_MAX_RATIO} times its size, as no trace does; not read on")
        if self._read_bytes > _MAX_TEXT:
            raise self.error(f"more than {_MAX_TEXT >> 30} GiB of text; record fewer steps")


@contextmanager
def open_trace(path: Path) -> Iterator[TraceText]:
    """Opens a trace.

    Raises:
        TraceError: there is no such file, it is empty, or it is packed in a way that we don't read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            if not head:
                raise TraceError(
                    "is empty: the process died before it wrote, or writes still; record again", path=str(path)
                )
            for mark, command in _OTHER_PACKERS.items():
                if head.startswith(mark):
                    raise TraceError(f"is packed; run `{command}` on it first", path=str(path))
            if head.startswith(_GZIP):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield TraceText(path, unpacked, path.stat().st_size)  # type: ignore[arg-type]
            else:
                yield TraceText(path, file, None)
    except OSError as error:
        raise TraceError(f"{error.strerror}; name a file that you may read", path=str(path)) from error
