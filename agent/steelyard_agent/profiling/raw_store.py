"""Raw traces on the node: a folder of the agent's own, bounded in bytes and in age."""

import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PIECE_BYTES: Final = 256 * 1024
# What a trace's file may be called, behind its id.
_SUFFIXES: Final = (".json", ".json.gz", ".tar", ".txt")


class NoTrace(Exception):
    """A trace isn't there; says why."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file of the store."""

    path: str
    bytes: int
    written_s: float


class RawStore:
    """The folder. Reading is for any thread, the rest for one."""

    def __init__(self, folder: Path, max_bytes: int, ttl_s: float, wall_s: Callable[[], float]) -> None:
        """Args: the folder, which is made; its limits; Unix time."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._wall_s = wall_s
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                # Unpacked when the agent was killed.
                shutil.rmtree(entry.path, ignore_errors=True)

    def path_for(self, profile: str, suffix: str) -> Path:
        """Where a new trace goes."""
        return self._folder / f"{canonical(profile)}{suffix}"

    def trim(self) -> None:
        """Removes what is too old, and the oldest where it is too much."""
        kept = sorted(self._kept(), key=lambda one: one.written_s)
        total = sum(one.bytes for one in kept)
        oldest_s = self._wall_s() - self._ttl_s
        for one in kept:
            if one.written_s >= oldest_s and total <= self._max_bytes:
                break
            os.unlink(one.path)
            total -= one.bytes

    def open(self, profile: str) -> tuple[str, int, Iterator[bytes]]:
        """A trace: its file's name, its bytes, and its pieces, which are read as they are asked for.

        Raises:
            NoTrace: there is none of this id.
        """
        name = canonical(profile)
        for suffix in _SUFFIXES:
            path = self._folder / f"{name}{suffix}"
            try:
                facts = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode):
                return path.name, facts.st_size, _pieces(path)
        raise NoTrace("its trace is not kept any more, or never was; see profiling.keep_hours and profiling.keep_mb")

    def drop(self, profile: str) -> None:
        """Removes a trace, also one that isn't packed yet."""
        shutil.rmtree(self.path_for(profile, ""), ignore_errors=True)
        for suffix in _SUFFIXES:
            self.path_for(profile, suffix).unlink(missing_ok=True)

    def _kept(self) -> Iterator[_Kept]:
        for entry in os.scandir(self._folder):
            facts = entry.stat(follow_symlinks=False)
            if not stat.S_ISDIR(facts.st_mode):
                yield _Kept(entry.path, facts.st_size, facts.st_mtime)


def canonical(profile: str) -> str:
    """The id as a file's name.

    Raises:
        NoTrace: it is no UUID.
    """
    try:
        name = str(uuid.UUID(profile))
    except ValueError:
        name = ""
    if not name or name != profile:
        raise NoTrace(f"{profile[:64]!r} is no profile's id; the view `profiles` has them")
    return name


def _pieces(path: Path) -> Iterator[bytes]:
    """Opened when the first is asked for: whoever waits for long, or never asks, holds no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        # Dropped meanwhile: that the pieces are fewer bytes than were told says so.
        return
    try:
        while piece := os.read(descriptor, PIECE_BYTES):
            yield piece
    finally:
        os.close(descriptor)
