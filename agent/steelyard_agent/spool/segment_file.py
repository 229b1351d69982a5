"""The file that the newest segment is written to, on a disk that may be full or broken."""

import errno
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from steelyard_agent.spool.holding import sync_path
from steelyard_agent.spool.numbering import STATE_FILE

log = logging.getLogger(__name__)


class SegmentFile:
    """Whole frames or nothing of them; trouble is told once, and once more when it is over. The ring locks."""

    def __init__(self, directory: Path, room_bytes: int) -> None:
        """Args: the spool's directory; what must be free before a disk that was full counts as well again."""
        self._directory = directory
        self._room_bytes = room_bytes
        self._file: BinaryIO | None = None
        self._path = directory
        self._unsynced: set[Path] = set()
        self._is_troubled = False
        self.failures = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a file to append to."""
        return self._file is not None

    def begin(self, path: Path, data: bytes) -> None:
        """Goes over to a new file that begins with `data`.

        Raises:
            OSError: it can't be written; the file before it stays the one to append to.
        """
        file = path.open("wb", buffering=0)
        try:
            if file.write(data) != len(data):
                raise _full()
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self.close()
        self._file, self._path = file, path
        # Of those before, what was sent or dropped in the meantime needs no sync. The numbering was written anew.
        names = self._directory, self._directory / STATE_FILE
        self._unsynced = {path, *names, *(other for other in self._unsynced if other.exists())}

    def append(self, data: bytes, size: int) -> None:
        """Writes at the end of the file, which is at `size`.

        Raises:
            OSError: it can't be written; nothing of it is left in the file.
        """
        assert self._file is not None
        written = self._file.write(data)
        if written != len(data):
            os.ftruncate(self._file.fileno(), size)
            # Else the next message would stand behind a hole, where no reader finds it.
            self._file.seek(size)
            raise _full()
        self._unsynced.add(self._path)

    def take_unsynced(self) -> list[Path]:
        """What was written to since the last call: this file or others before it, and their names where one is new."""
        paths, self._unsynced = sorted(self._unsynced), set()
        return paths

    def close(self) -> None:
        """Closes the file, if any."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def note_failure(self, error: OSError) -> None:
        """Counts a write that failed."""
        self.failures += 1
        if not self._is_troubled:
            self._is_troubled = True
            log.warning("%s: %s; the oldest messages make room", self._directory, error.strerror)

    def note_success(self) -> None:
        """Says that the disk is well again, once it has room."""
        if self._is_troubled and self._has_room():
            self._is_troubled = False
            log.info("%s: can be written again; writes that failed so far: %d", self._directory, self.failures)

    def _has_room(self) -> bool:
        """Whether the disk takes a segment more: what makes its own room, message by message, would flap."""
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize > self._room_bytes


def sync_files(directory: Path, paths: Iterable[Path]) -> None:
    """Puts files of a directory on the disk itself; one that is gone is done with."""
    try:
        for path in paths:
            with suppress(FileNotFoundError):
                sync_path(path)
    except OSError as error:
        log.warning("%s: can't be synced: %s", directory, error.strerror)


def _full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")
