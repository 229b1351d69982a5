"""Check `spool`: the state directory, what waits in it, and whether it can be read."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.spool.record import Damage, read_frames

# Below this the ring can hold nothing to speak of.
_FREE_BYTES: Final = 64 << 20
# What waits longer than this is not merely the next flush.
_OLD_S: Final = 120.0


def check_spool(node: Node) -> Sequence[Finding]:
    """Whether the directory can be used, is in use, is full, holds old messages or damage. Nothing is changed."""
    directory = node.config.state_dir
    nearest = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        remedy = "run the doctor as the agent's user, or name another directory with --state-dir"
        return [Finding("spool", "problem", f"{nearest} can't be written", str(directory), remedy)]
    findings = [_space(directory, nearest, node.config.spool_max_bytes)]
    if not directory.exists():
        return [Finding("spool", "ok", "will be made at the agent's first start", str(directory)), *findings]
    spool = directory / "spool"
    findings.append(_user(spool, node.root / "proc"))
    return [*findings, *_segments(spool, node.now_s())]


def holder(spool: Path, proc: Path) -> int | None:
    """The pid of the agent that holds the spool; None where none does.

    Read from /proc/locks: to try the lock would shut out an agent that starts at this very moment.
    """
    try:
        status = (spool / "lock").stat()
        lines = (proc / "locks").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for words in (line.split() for line in lines):
        if len(words) >= 6 and words[1] == "FLOCK" and words[5] == place:
            return int(words[4])
    return None


def _space(directory: Path, nearest: Path, max_bytes: int) -> Finding:
    free = shutil.disk_usage(nearest).free
    details = {"free_bytes": free, "max_bytes": max_bytes}
    if free < _FREE_BYTES:
        remedy = "free some space, or name another directory with --state-dir"
        text = f"{free / 1e6:.0f} MB are free on its disk"
        return Finding("spool", "problem", text, str(directory), remedy, details)
    if free < max_bytes:
        text = f"{free / 1e6:.0f} MB are free on its disk, and the ring may take {max_bytes / 1e6:.0f} MB"
        return Finding("spool", "warning", text, str(directory), "free some space, or lower spool.max_mb", details)
    return Finding("spool", "ok", f"{free / 1e9:.1f} GB are free on its disk", str(directory), details=details)


def _user(spool: Path, proc: Path) -> Finding:
    pid = holder(spool, proc)
    if pid is None:
        return Finding("spool", "note", "no agent uses it now", str(spool), details={"in_use": 0})
    return Finding(
        "spool", "ok", f"the agent with pid {pid} uses it now", str(spool), details={"in_use": 1, "pid": pid}
    )


def _segments(spool: Path, now_s: float) -> Iterator[Finding]:
    sizes, oldest_s = 0, now_s
    for path in sorted(spool.glob("segment-*.spool")):
        try:
            status = path.stat()
            damages = [item for item in _read(path) if isinstance(item, Damage) and not item.is_torn_tail]
        except OSError as error:
            if path.exists():
                yield Finding("spool", "problem", f"can't be read: {error.strerror}", str(path), "check the disk")
            continue
        sizes += status.st_size
        oldest_s = min(oldest_s, status.st_mtime)
        for damage in damages[:1]:
            text = f"{len(damages)} damaged messages, the first at byte {damage.offset}: {damage.reason}"
            yield Finding(
                "spool", "warning", text, str(path), "check the disk; they are declared lost to the collector"
            )
    age_s = max(0.0, now_s - oldest_s)
    details = {"bytes": sizes, "oldest_s": round(age_s, 1)}
    text = f"{sizes / 1e6:.1f} MB, the oldest segment last written {age_s:.0f} s ago"
    if age_s > _OLD_S and sizes:
        yield Finding("spool", "warning", text, str(spool), "messages wait here: see what `collector` says", details)
    else:
        yield Finding("spool", "ok", text, str(spool), details=details)


def _read(path: Path) -> Iterator[object]:
    with path.open("rb") as file:
        yield from read_frames(file)
