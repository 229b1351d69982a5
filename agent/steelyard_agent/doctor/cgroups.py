"""The limits that control groups put on the agent: of version 2, version 1, or both mounted beside one another.

A limit of a group above holds as well. Of version 2 no file says which devices may be opened: a program in the kernel
decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Version 1 has no word for no limit: the highest number of whole pages stands there.
_NO_LIMIT_BYTES: Final = 1 << 62
_MOUNT_ROOT, _MOUNT_POINT = 3, 4


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """Device files that may be opened; None stands for all numbers."""

    kind: str
    major: int | None
    minor: int | None
    access: str

    def allows(self, major: int, minor: int) -> bool:
        """Whether a character device may be opened to read and write."""
        is_it = self.kind in ("a", "c") and self.major in (None, major) and self.minor in (None, minor)
        return is_it and {"r", "w"} <= set(self.access)


@dataclass(frozen=True, slots=True)
class Limits:
    """None where there is no limit; `device_rules` is None where nothing tells them."""

    memory_bytes: int | None
    cores: float | None
    device_rules: Sequence[DeviceRule] | None = None


def read_limits(root: Path) -> Limits | None:
    """The limits of this process; None where no control group can be read."""
    paths = _own_paths(root)
    top = root / "sys/fs/cgroup"
    if "" in paths and (top / "cgroup.controllers").exists():
        return _unified([*_upwards(top / paths[""].lstrip("/"), top)])
    groups: dict[str, list[Path]] = {
        name: [*_groups_of(name, paths[name], root)] for name in ("memory", "cpu", "devices") if name in paths
    }
    return _of_each(groups) if any(groups.values()) else None


def _unified(groups: Sequence[Path]) -> Limits:
    memory = (int(words[0]) for words in _each(groups, "memory.max") if words[0].isdigit())
    quotas = (words for words in _each(groups, "cpu.max") if len(words) == 2 and words[0].isdigit())
    return Limits(min(memory, default=None), min((int(words[0]) / int(words[1]) for words in quotas), default=None))


def _of_each(groups: Mapping[str, Sequence[Path]]) -> Limits:
    memory = (int(words[0]) for words in _each(groups.get("memory", ()), "memory.limit_in_bytes") if words[0].isdigit())
    return Limits(
        memory_bytes=min((limit for limit in memory if limit < _NO_LIMIT_BYTES), default=None),
        cores=min(_shares(groups.get("cpu", ())), default=None),
        device_rules=_device_rules(groups.get("devices", ())),
    )


def _shares(groups: Sequence[Path]) -> Iterator[float]:
    for group in groups:
        quota, period = (next(_each([group], f"cpu.cfs_{name}_us"), [""])[0] for name in ("quota", "period"))
        # A quota of -1 is none.
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield int(quota) / int(period)


def _device_rules(groups: Sequence[Path]) -> list[DeviceRule] | None:
    words = next(_each(groups[:1], "devices.list"), [])
    # Each rule is three words: c 195:* rwm.
    rules = [_device_rule(*words[at : at + 3]) for at in range(0, len(words) - 2, 3)]
    return rules or None


def _device_rule(kind: str, numbers: str, access: str) -> DeviceRule:
    major, minor = (int(part) if part.isdigit() else None for part in f"{numbers}:".split(":")[:2])
    return DeviceRule(kind, major, minor, access)


def _own_paths(root: Path) -> dict[str, str]:
    """The own group's path by controller; that of version 2 has the name of none."""
    found = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        found.update(dict.fromkeys(names.split(","), path))
    return found


def _groups_of(controller: str, own: str, root: Path) -> Iterator[Path]:
    """The own group of a controller and those above it, as far as they are mounted here."""
    for line in _lines(root / "proc/self/mountinfo"):
        words, _, kind = line.partition(" - ")
        mount, (fstype, *_, options) = words.split(), kind.split()
        if fstype != "cgroup" or controller not in options.split(","):
            continue
        top = root / mount[_MOUNT_POINT].lstrip("/")
        # A container often sees no more than its own group, mounted as if it were the topmost.
        shown = Path(mount[_MOUNT_ROOT])
        inside = Path(own).relative_to(shown) if Path(own).is_relative_to(shown) else Path()
        yield from _upwards(top / inside, top)
        return


def _upwards(group: Path, top: Path) -> Iterator[Path]:
    yield from (path for path in (group, *group.parents) if path.is_relative_to(top))


def _each(groups: Sequence[Path], name: str) -> Iterator[list[str]]:
    for group in groups:
        if words := " ".join(_lines(group / name)).split():
            yield words


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
