"""Reads what is written to a file while it is written, over rotation and truncation; a look reads a bounded amount."""

import os
import stat
from pathlib import Path
from typing import Final

from steelyard_proto.trainlog import MAX_LINE_CHARS

# Of one look: a trainer's log grows by less in a minute. What stays behind is read at the next look.
_MOST_BYTES: Final = 1 << 18
_HEAD_BYTES: Final = 1 << 18


class Unreadable(ValueError):
    """A file that isn't followed; the text says why and what to do."""


class Tail:
    """One file. Used by one thread."""

    def __init__(self, path: Path, owner: int) -> None:
        """Args: the file; the user whose file it must be, where it isn't everybody's to read."""
        self._path = path
        self._owner = owner
        self._descriptor = -1
        self._identity = (0, 0)
        self._at = 0
        self._rest = b""

    def open(self, *, is_new: bool = False) -> list[str]:
        """Opens the file at its end; returns the lines of its beginning, which may tell what the training is.

        Args:
            is_new: it has just come to be, so it is read from its beginning.

        Raises:
            Unreadable: it can't be read, or mustn't.
        """
        self._open()
        self._at = 0 if is_new else os.fstat(self._descriptor).st_size
        return _lines(os.pread(self._descriptor, min(_HEAD_BYTES, self._at), 0))

    def read(self) -> list[str]:
        """The complete lines that came since the last call.

        Raises:
            Unreadable: the file that took its place can't be read.
        """
        lines = self._read_on()
        if not lines and self._is_replaced():
            self.close()
            self._open()
            self._at, self._rest = 0, b""
            lines = self._read_on()
        return lines

    def close(self) -> None:
        """Closes it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        try:
            # A pipe would have to be waited for.
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise Unreadable(f"can't be read: {error.strerror}; give a file that the agent's user may read") from error
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise Unreadable("is no file; write the log to a file, for example by tee")
        if found.st_uid != self._owner and not found.st_mode & stat.S_IROTH:
            self.close()
            raise Unreadable("belongs to another user than the training; give a file of its own")

    def _read_on(self) -> list[str]:
        if self._descriptor < 0:
            return []
        if os.fstat(self._descriptor).st_size < self._at:
            # Truncated: it begins anew.
            self._at, self._rest = 0, b""
        data = os.pread(self._descriptor, _MOST_BYTES, self._at)
        self._at += len(data)
        data = self._rest + data
        end = max(data.rfind(mark) for mark in (b"\r", b"\n"))
        # A line that never ends is cut, so that it takes no memory.
        self._rest = data[end + 1 :][: 4 * MAX_LINE_CHARS]
        return _lines(data[: end + 1])

    def _is_replaced(self) -> bool:
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) != self._identity


def _lines(data: bytes) -> list[str]:
    """Progress bars end their lines by a carriage return."""
    pieces = data.replace(b"\r", b"\n").split(b"\n")
    return [piece[: 4 * MAX_LINE_CHARS].decode("utf-8", "replace") for piece in pieces if piece]
