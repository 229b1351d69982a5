"""Slurm's ways of writing several things at once: gpu[01-03,07], 0-3,6. Pure."""

import re
from typing import Final

_PIECES: Final = re.compile(r"(?:[^,\[\]]|\[[^\]]*\])+")
_GROUP: Final = re.compile(r"\[([^\]]*)\]")
_MOST: Final = 1024


def numbers_of(text: str) -> list[int]:
    """0-3,6 as numbers; what is none is left out."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found += range(int(first), min(int(last or first), int(first) + _MOST) + 1)
    return found


def host_in(name: str, hosts: str) -> bool:
    """Whether a host, by its name up to the first dot, is one of gpu[01-03,07],login1."""
    short = name.partition(".")[0]
    return any(_matches(short, piece.partition(".")[0]) for piece in _PIECES.findall(hosts))


def _matches(name: str, piece: str) -> bool:
    pattern, at, groups = "", 0, []
    for group in _GROUP.finditer(piece):
        pattern += re.escape(piece[at : group.start()]) + r"(\d+)"
        groups.append(group[1])
        at = group.end()
    found = re.fullmatch(pattern + re.escape(piece[at:]), name)
    return found is not None and all(
        _is_in(number, group) for number, group in zip(found.groups(), groups, strict=True)
    )


def _is_in(number: str, group: str) -> bool:
    """Zeros in front count: 01 isn't 1."""
    for part in group.split(","):
        first, _, last = part.partition("-")
        is_written_so = len(number) in (len(first), len(last or first)) and first.isdigit()
        if is_written_so and int(first) <= int(number) <= int(last or first):
            return True
    return False
