"""A line of the screen as data: pieces of text with a tone, measured in terminal cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size

# A tone is a name from tones.py; what it looks like is the painter's business.
Span = tuple[str, str]
Line = tuple[Span, ...]
Align = Literal["left", "right"]

BLANK: Final[Line] = ()


@dataclass(frozen=True, slots=True)
class Painted:
    """A line with the ground that it stands on."""

    line: Line
    ground: str = "plain"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Lines that show things one under another, and which thing each line belongs to; None for heads and feet."""

    lines: list[Painted]
    owners: list[int | None]

    def add(self, lines: Sequence[Painted], owner: int | None = None) -> None:
        """More lines of one owner."""
        self.lines.extend(lines)
        self.owners.extend([owner] * len(lines))


def clean(text: str) -> str:
    """Names are data: what isn't printable would move the cursor or restyle the terminal, so it becomes `?`."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def width_of(text: str) -> int:
    """Terminal cells that a text takes; a CJK character takes two."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, align: Align = "left", ellipsis: str = "…") -> str:
    """The text in exactly `width` cells: padded, or cut with an ellipsis."""
    cells = width_of(text)
    if cells <= width:
        space = " " * (width - cells)
        return text + space if align == "left" else space + text
    if width <= 0:
        return ""
    return set_cell_size(text, width - 1) + ellipsis


def line_width(line: Iterable[Span]) -> int:
    """Terminal cells that a line takes."""
    cells = 0
    for text, _ in line:
        cells += len(text) if text.isascii() else cell_len(text)
    return cells


def fit_line(line: Sequence[Span], width: int, align: Align = "left", ellipsis: str = "…") -> Line:
    """The line in exactly `width` cells."""
    if len(line) == 1:
        text, tone = line[0]
        return ((fit(text, width, align, ellipsis), tone),)
    cells = line_width(line)
    if cells <= width:
        space = (" " * (width - cells), "ink")
        if cells == width:
            return tuple(line)
        return (*line, space) if align == "left" else (space, *line)
    kept: list[Span] = []
    left = width
    for text, tone in line:
        size = width_of(text)
        if size >= left:
            kept.append((fit(text, left, "left", ellipsis) if size > left else text, tone))
            left -= min(size, left)
            if left <= 0:
                break
        else:
            kept.append((text, tone))
            left -= size
    return tuple(kept)


def plain(line: Iterable[Span]) -> str:
    """The line's text alone."""
    return "".join(text for text, _ in line)


def spread(left: Sequence[Span], right: Sequence[Span], width: int, ellipsis: str = "…") -> Line:
    """Two texts at the two ends of a line; the left one gives way."""
    room = max(0, width - line_width(right))
    return (*fit_line(left, room, "left", ellipsis), *fit_line(right, min(width, width - room), "right", ellipsis))


def on_ground(line: Line, ground: str) -> Line:
    """The same line on a ground of its own, where it shares its line of the screen with others."""
    return tuple((text, f"{tone}@{ground}") for text, tone in line)


def side_by_side(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: int) -> list[Line]:
    """Two blocks of lines beside one another."""
    height = max(len(left), len(right))
    space = (" " * gap, "ink")
    return [
        (
            *fit_line(left[y] if y < len(left) else BLANK, left_width),
            space,
            *(right[y] if y < len(right) else BLANK),
        )
        for y in range(height)
    ]
