"""torch_npu without a daemon: who was started with PROF_CONFIG_PATH reads a file of the agent's every 2 s.

One process of a node reads it for all ranks, and takes it for new when the seconds of its time have changed.

Source: dynamic_profile of torch_npu, as read; not verified on hardware.
"""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from steelyard_agent.jobs.facts import ProcessReader
from steelyard_agent.profiling.landing import Unusable
from steelyard_agent.profiling.roster import FILE, Roster, Trainer

VARIABLE: Final = b"PROF_CONFIG_PATH="
FOLDER: Final = "npu"
FILE_NAME: Final = "profiler_config.json"
LOOK_S: Final = 5.0
_MOST_ENVIRON_BYTES: Final = 1 << 20


class ConfigFile:
    """The file, and who reads it. Used by the fabric's thread alone."""

    def __init__(
        self,
        folder: Path,
        roster: Roster,
        reader: ProcessReader,
        candidates: Callable[[], Iterable[int]],
        clock: Callable[[], float],
        proc: Path = Path("/proc"),
    ) -> None:
        """Makes the folder, which is the agent's own user's alone.

        Args: the folder, who is there, who tells of processes, which processes train, seconds that never jump, and
        the root of procfs.

        Raises:
            Unusable: it can't be made.
        """
        self._folder = folder
        self._roster = roster
        self._reader = reader
        self._candidates = candidates
        self._clock = clock
        self._proc = proc
        self._reads: dict[tuple[int, int], bool] = {}
        self._looked_s = float("-inf")
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise Unusable(f"{folder} is not a folder of the agent's own; remove it")
            folder.chmod(0o700)
        except OSError as error:
            raise Unusable(f"{folder} can't be made: {error.strerror}; see profiling.npu_file") from error

    def advance(self, configuration_for: Callable[[Trainer], str]) -> None:
        """Looks who reads it, and writes what they are to be told.

        Raises:
            OSError: it can't be written.
        """
        now_s = self._clock()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._look()
        trainer = self._roster.get(FILE)
        text = configuration_for(trainer) if trainer is not None else ""
        if text:
            self._write(text)

    def _look(self) -> None:
        found: dict[tuple[int, int], bool] = {}
        for pid in set(self._candidates()):
            who = self._reader.read(pid)
            if who is None or who.uid != os.geteuid():
                continue
            key = (pid, who.start_ms)
            found[key] = self._reads[key] if key in self._reads else self._is_reader(pid)
            if found[key]:
                self._roster.note_reader(pid, who.uid)
        self._reads = found

    def _is_reader(self, pid: int) -> bool:
        try:
            with (self._proc / str(pid) / "environ").open("rb") as file:
                variables = file.read(_MOST_ENVIRON_BYTES).split(b"\0")
        except OSError:
            return False
        return any(one.rstrip(b"/") == VARIABLE + os.fsencode(self._folder) for one in variables)

    def _write(self, text: str) -> None:
        path, new = self._folder / FILE_NAME, self._folder / f".{FILE_NAME}"
        new.write_text(text, encoding="utf-8")
        try:
            last_s = int(path.lstat().st_mtime)
        except FileNotFoundError:
            last_s = 0
        if int(new.stat().st_mtime) <= last_s:
            os.utime(new, (last_s + 1, last_s + 1))
        new.replace(path)
