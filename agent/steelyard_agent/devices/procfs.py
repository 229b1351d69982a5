"""Files of procfs and sysfs kept open, and what their text says. The parsers are pure."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

_CHUNK_BYTES: Final = 1 << 16
_SECTOR_BYTES: Final = 512  # of /proc/diskstats, whatever the disk's own sectors are


class KeptFile:
    """A file read again and again through one descriptor, which costs a tenth of opening it each time."""

    def __init__(self, path: Path, *, limit_bytes: int = _CHUNK_BYTES) -> None:
        """Opens nothing yet.

        Args:
            path: a file of procfs or sysfs.
            limit_bytes: read no more than this.
        """
        self.path = path
        self._limit = limit_bytes
        # Room for more than this is mapped anew by the C library at each reading, at three times the reading's cost.
        self._room = min(_CHUNK_BYTES, limit_bytes)
        self._fd = -1

    def read(self) -> bytes:
        """The file's content now.

        Raises:
            OSError: it isn't there, or may not be read; the next call opens it anew.
        """
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.pread(self._fd, self._room, 0)
            while len(text) == self._room < self._limit:
                self._room = min(2 * self._room, self._limit)
                text = os.pread(self._fd, self._room, 0)
            return text
        except OSError:
            self.close()
            raise

    def number(self) -> int:
        """The file's content as one integer.

        Raises:
            OSError: as `read`.
            ValueError: it isn't a number.
        """
        return int(self.read())

    def close(self) -> None:
        """Gives the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class CpuTimes(NamedTuple):
    """Ticks of one CPU, or of all, since boot."""

    total: int
    idle: int
    iowait: int


def parse_cpu_line(line: bytes) -> CpuTimes:
    """A line of /proc/stat; guest time is left out, for user time holds it already."""
    ticks = [int(word) for word in line.split()[1:9]]
    iowait = ticks[4] if len(ticks) > 4 else 0
    return CpuTimes(total=sum(ticks), idle=ticks[3], iowait=iowait)


def parse_cores(stat: bytes) -> tuple[CpuTimes, ...]:
    """The CPUs of /proc/stat one by one, without the line of all."""
    # The interrupts behind them are the longer part.
    lines = stat.partition(b"\nintr")[0]
    width = len(lines.partition(b"\n")[0].split())
    words = lines.split()[width:]
    # A column of all CPUs at once: a node has hundreds of them.
    ticks = [list(map(int, words[place::width])) for place in range(1, min(width, 9))]
    iowait = ticks[4] if len(ticks) > 4 else [0] * len(ticks[0])
    return tuple(map(CpuTimes, map(sum, zip(*ticks, strict=True)), ticks[3], iowait))


def shares(before: CpuTimes, now: CpuTimes) -> tuple[float, float] | None:
    """Busy share and waiting share between two readings; None where no time has passed."""
    total = now.total - before.total
    if total <= 0:
        return None
    # The kernel's iowait may step back; a share never does.
    iowait = min(max(now.iowait - before.iowait, 0), total)
    idle = min(max(now.idle - before.idle, 0), total - iowait)
    return (total - idle - iowait) / total, iowait / total


def parse_meminfo(text: bytes, names: Collection[bytes]) -> dict[bytes, int]:
    """Figures of /proc/meminfo in bytes, by name; what isn't there is left out. Only what is asked for is parsed."""
    figures: dict[bytes, int] = {}
    for name in names:
        label = name + b":"
        at = 0 if text.startswith(label) else text.find(b"\n" + label) + 1
        words = text[at + len(label) :].split(None, 2) if at or text.startswith(label) else []
        if len(words) > 1 and words[1] == b"kB":
            figures[name] = int(words[0]) * 1024
    return figures


def parse_diskstats(text: bytes, disks: Collection[bytes]) -> tuple[int, int]:
    """Bytes read and written, summed over the given disks."""
    read = written = 0
    for line in text.splitlines():
        words = line.split(None, 10)
        if len(words) > 9 and words[2] in disks:
            read += int(words[5])
            written += int(words[9])
    return read * _SECTOR_BYTES, written * _SECTOR_BYTES


def parse_net_dev(text: bytes, interfaces: Collection[bytes]) -> tuple[int, int]:
    """Bytes received and sent, summed over the given interfaces."""
    received = sent = 0
    for name, words in _interface_lines(text):
        if name in interfaces and len(words) > 8:
            received += int(words[0])
            sent += int(words[8])
    return received, sent


def interface_names(text: bytes) -> tuple[bytes, ...]:
    """The interfaces of /proc/net/dev."""
    return tuple(name for name, _ in _interface_lines(text))


def parse_pressure(text: bytes) -> int:
    """Microseconds in which some task waited.

    Raises:
        ValueError: the kernel doesn't keep it.
    """
    first = text.split(b"\n", 1)[0]
    if not first.startswith(b"some "):
        raise ValueError("no line 'some'")
    return int(first.rpartition(b"total=")[2])


def _interface_lines(text: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    for line in text.splitlines():
        name, colon, rest = line.partition(b":")
        if colon:
            yield name.strip(), rest.split()
