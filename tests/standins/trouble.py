"""A full disk and a jumping clock for the real programs: trouble.c in front of their C library."""

import struct
from collections.abc import Mapping
from pathlib import Path

_FORM = struct.Struct("<qq")
_NO_LIMIT = -1


class Trouble:
    """What one program meets; it may be changed while the program runs, and outlives it."""

    def __init__(self, library: Path, file: Path, disk: Path) -> None:
        """Nothing is wrong yet. `disk` is the directory that may become full."""
        self._file = file
        self._library = library
        self._disk = disk
        file.write_bytes(_FORM.pack(0, _NO_LIMIT))

    @property
    def environ(self) -> Mapping[str, str]:
        """What the program is to be started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "STEELYARD_STANDIN_TROUBLE": str(self._file),
            "STEELYARD_STANDIN_DISK": str(self._disk),
        }

    def set_clock(self, ahead_s: float) -> None:
        """Has the wall clock jump to so much ahead of the true time."""
        self._put(0, round(ahead_s * 1e9))

    def fill_disk(self, room_bytes: int = 0) -> None:
        """Leaves room for so many bytes; what is deleted becomes room."""
        self._put(8, room_bytes)

    def free_disk(self) -> None:
        """Takes the limit away."""
        self._put(8, _NO_LIMIT)

    @property
    def room_bytes(self) -> int:
        """What can still be written; negative without a limit."""
        return int(_FORM.unpack(self._file.read_bytes())[1])

    def _put(self, offset: int, value: int) -> None:
        # In place: the program has the file mapped.
        with self._file.open("r+b") as file:
            file.seek(offset)
            file.write(struct.pack("<q", value))
