"""The folder in which trainers find the agent and leave their traces, and what is taken out of it.

What a user writes there is not to be trusted: links are never followed, and a file counts only if it is the user's.
"""

import contextlib
import os
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_agent.profiling.roster import Trainer

# A trace that nobody has waited for so long.
_STALE_S: Final = 600.0
_CHUNK_BYTES: Final = 1 << 22


class Unusable(Exception):
    """The folder or a file in it can't be used; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Landing:
    """The folder.

    Attributes:
        root: holds the socket `dynolog`.
        is_shared: trainers of every user write there, else the agent's own user's alone.
        max_bytes: a larger trace is refused.
    """

    root: Path
    is_shared: bool
    max_bytes: int

    @property
    def traces(self) -> Path:
        """Where traces are left."""
        return self.root / "traces"

    def open(self) -> None:
        """Makes the folders, or checks those that are there.

        Raises:
            Unusable: it can't be made, or is somebody else's, who could read or change what is in it.
        """
        # Everybody may add a file, and see none; nobody may remove another's.
        for folder, shared_mode in ((self.root, 0o1777), (self.traces, 0o1733)):
            mode = shared_mode if self.is_shared else 0o700
            try:
                folder.mkdir(mode=mode, parents=folder is self.root, exist_ok=True)
                found = folder.lstat()
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                    raise Unusable(f"{folder} is not a folder of the agent's own; remove it, or set profiling.folder")
                os.chmod(folder, mode)
            except OSError as error:
                raise Unusable(f"{folder} can't be made: {error.strerror}; set profiling.folder") from error

    def path_for(self, window: str) -> str:
        """What a trainer is told."""
        return str(self.traces / f"{window}.json")

    def file_of(self, window: str, trainer: Trainer) -> Path:
        """Where the trace is, once it is whole; until then its name ends with .tmp."""
        return self.traces / f"{window}_{trainer.own_pid}.json"

    def is_begun(self, window: str, trainer: Trainer) -> bool:
        """Whether the trainer writes."""
        return os.path.lexists(f"{self.file_of(window, trainer)}.tmp")

    def take(self, file: Path, uid: int, target: Path) -> int:
        """Moves a trace into the agent's own keeping.

        Args:
            file: the trace.
            uid: its user.
            target: a new file.

        Returns:
            Its bytes.

        Raises:
            Unusable: it is too large, a link, or another user's.
            OSError: it can't be read, or the target can't be written.
        """
        source = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(source)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != uid or found.st_nlink != 1:
                raise Unusable("its trace is no plain file of its own user")
            if found.st_size > self.max_bytes:
                raise Unusable(
                    f"its trace has {found.st_size / 1e6:.0f} MB; at most {self.max_bytes / 1e6:.0f} are taken: "
                    "ask for fewer steps, or raise profiling.max_trace_mb"
                )
            size = _copy(source, target, self.max_bytes)
        finally:
            os.close(source)
            # A folder can't be removed so, and harms nobody.
            with contextlib.suppress(OSError):
                file.unlink()
        return size

    def drop(self, window: str, trainer: Trainer) -> None:
        """Removes what a window that failed has left."""
        file = self.file_of(window, trainer)
        for path in (file, file.with_name(f"{file.name}.tmp")):
            path.unlink(missing_ok=True)

    def sweep(self, now_s: float | None = None) -> int:
        """Removes what nobody waits for any more; how many files."""
        now_s = time.time() if now_s is None else now_s
        dropped = 0
        for entry in os.scandir(self.traces):
            if _is_older(entry, now_s - _STALE_S):
                with contextlib.suppress(OSError):
                    # Never through a link: rmtree refuses one.
                    shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
                    dropped += 1
        return dropped


def _is_older(entry: "os.DirEntry[str]", than_s: float) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime < than_s
    except FileNotFoundError:
        return False


def _copy(source: int, target: Path, max_bytes: int) -> int:
    made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    size = 0
    try:
        # The file may grow while it is copied.
        while size <= max_bytes and (sent := os.sendfile(made, source, None, _CHUNK_BYTES)):
            size += sent
    finally:
        os.close(made)
    return size
