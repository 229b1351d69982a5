"""What a stand-in library shall do: a file of "key value" lines that it reads again whenever the file changes.

Keys (`.N` for device N, else for all):

    devices 8                      how many there are
    lost.N 1                       every call about the device answers "lost"
    error.<function>[.N] code      the function answers this code
    hang.<function>[.N] seconds    the function blocks that long, or until the key is dropped
    hung.N seconds                 the same for every call about the device
    hangs_in pid                   the process that hang and hung are for; by default each that has the library
    refused.N code                 every call about the device answers this code
    flaky.N share                  ... but only this share of them, at random
    missing.<function> 1           the function says that it doesn't exist
    log.<function> path            each call adds a line to that file: the device and the monotonic clock's seconds
    clock seconds                  time stands still at this, in place of real time since loading
    <figure>[.N] value             a figure, named in the stand-in's source
"""

import os
from pathlib import Path

VARIABLE = "STEELYARD_STANDIN_SCENARIO"


class Scenario:
    """The file of one scenario; each change is seen by the library's next call."""

    def __init__(self, path: Path, **values: object) -> None:
        self.path = path
        self._values: dict[str, object] = {}
        self.set(values)

    def set(self, values: dict[str, object]) -> None:
        """Adds or replaces keys."""
        self._values.update(values)
        self._write()

    def drop(self, *keys: str) -> None:
        """Takes keys back to the stand-in's defaults."""
        for key in keys:
            self._values.pop(key, None)
        self._write()

    def _write(self) -> None:
        # Renamed into place, so that a reader never sees a half-written file and always sees a new inode.
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text("".join(f"{key} {value}\n" for key, value in self._values.items()), encoding="utf-8")
        os.replace(unfinished, self.path)
