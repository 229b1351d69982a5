"""Folders that a profiler fills for a window: told whole by their growth, taken file by file, kept packed."""

import itertools
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_agent.profiling.landing import Landing, Unusable
from steelyard_agent.profiling.raw_store import RawStore
from steelyard_agent.profiling.window import Window

# Files that don't grow any more for so long are taken for whole.
QUIET_S: Final = 3.0
_MOST_FILES: Final = 200
# Whoever fills a folder with more is not waited for.
_MOST_SEEN: Final = 2_000


@dataclass(slots=True)
class Growth:
    """How long each window's files have not grown.

    Attributes:
        clock: seconds that never jump.
        quiet_s: for how long they must not.
    """

    clock: Callable[[], float]
    quiet_s: float = QUIET_S
    _sizes: dict[str, tuple[int, float]] = field(default_factory=dict)

    def is_over(self, window: Window, files: Iterable[Path]) -> bool:
        """Whether files grow no more; False while there are none."""
        size = sum(_size_of(path) for path in files)
        known, since_s = self._sizes.get(window.id, (0, 0.0))
        now_s = self.clock()
        if size != known:
            self._sizes[window.id] = (size, now_s)
            return False
        return size > 0 and now_s - since_s >= self.quiet_s

    def forget(self, window: Window) -> None:
        """A window has ended."""
        self._sizes.pop(window.id, None)


def make_folder(landing: Landing, window: Window) -> Path:
    """The window's folder, made."""
    folder = folder_of(landing, window)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def folder_of(landing: Landing, window: Window) -> Path:
    """Where the window's files are left."""
    return landing.traces / window.id


def take_files(landing: Landing, window: Window, wanted: Sequence[Path], root: Path, target: Path) -> Path:
    """Copies files into the agent's keeping, under their paths below `root`; sets the window's trace_bytes.

    Raises:
        Unusable: they are too many or too large, or one isn't the user's own.
        OSError: one can't be read or written.
    """
    if len(wanted) > _MOST_FILES:
        raise Unusable(f"its trace has {len(wanted)} files; at most {_MOST_FILES} are taken")
    total = 0
    for path in wanted:
        copy = target / path.relative_to(root)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        total += landing.take(path, window.trainer.uid, copy)
        if total > landing.max_bytes:
            raise Unusable(f"its trace has more than {landing.max_bytes / 1e6:.0f} MB; see max_trace_mb")
    window.trace_bytes = total
    return target


def pack(window: Window, path: Path, store: RawStore, name: str) -> None:
    """Packs what was read into one file, in which it is called `name`; drops it where nothing came of it."""
    if window.trace_bytes:
        packed = store.path_for(window.id, ".tar")
        with tarfile.open(packed, "w") as file:
            file.add(path, arcname=name)
        window.trace_bytes = packed.stat().st_size
    shutil.rmtree(path, ignore_errors=True)


def drop_folder(landing: Landing, window: Window) -> None:
    """Removes the window's folder."""
    shutil.rmtree(folder_of(landing, window), ignore_errors=True)


def plain_files(folder: Path) -> list[Path]:
    """The plain files right in a folder that is one."""
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            return []
        seen = itertools.islice(os.scandir(folder), _MOST_SEEN)
        return sorted(Path(entry.path) for entry in seen if entry.is_file(follow_symlinks=False))
    except OSError:
        return []


def _size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
