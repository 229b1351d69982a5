"""The lines of a log file, or why it is none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from steelyard_proto.errors import ConfigError

_HEAD_BYTES: Final = 8192
# A line without an end must not fill the memory; longer ones are cut by the patterns' reader anyway.
_LINE_BYTES: Final = 1 << 20
_PACKED: Final = {b"\x1f\x8b": "gzip", b"(\xb5/\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}


def read_lines(path: Path) -> Iterator[str]:
    """The whole lines of a log; a last one without an end was still being written, or cut off, and is left out.

    Raises:
        ConfigError: the file can't be read, is empty, packed or no text.
    """
    try:
        with path.open("rb") as file:
            _check(file.read(_HEAD_BYTES), path)
            file.seek(0)
            while line := file.readline(_LINE_BYTES):
                if line.endswith(b"\n"):
                    yield line.decode("utf-8", errors="replace")
                elif len(line) == _LINE_BYTES:
                    yield ""
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}; give the log of a training", path=str(path)) from error


def is_cut(path: Path) -> bool:
    """Whether the file ends inside a line."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return file.read(1) not in (b"\n", b"")


def _check(head: bytes, path: Path) -> None:
    if not head.strip():
        raise ConfigError("is empty; give the log of a training that has made steps", path=str(path))
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise ConfigError(f"is packed ({name}); unpack it first", path=str(path))
    if b"\0" in head:
        raise ConfigError("is no text; give what the training printed", path=str(path))
