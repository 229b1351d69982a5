"""The column model of every table: what a column needs, how a cell reads, and which columns fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Align, Line, Span, fit, fit_line

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a cell may depend on beside its row."""

    glyphs: Glyphs
    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: the head; also how pickers name it.
        needs: columns of the view that `cell` reads; the first is what it sorts by.
        width: cells.
        cell: a row to spans.
        priority: columns with larger numbers go first when there is no room.
        grow: cells that it may take more where there is room.
    """

    title: str
    needs: tuple[str, ...]
    width: int
    cell: Callable[[Row, Drawing], Line]
    priority: int = 0
    align: Align = "right"
    grow: int = 0

    @property
    def order(self) -> str:
        """The view's column that this one sorts by."""
        return self.needs[0]


@dataclass(frozen=True, slots=True)
class Placed:
    """A column with its place on the line, in cells."""

    column: Column
    start: int
    width: int


GAP = 1
_GAP_TEXT = " " * GAP


def place_columns(columns: Sequence[Column], width: int, left: int = 3) -> tuple[Placed, ...]:
    """The columns that fit in `width` cells, in their order; `left` is the room of the cursor and marks."""
    chosen: list[Column] = []
    room = width - left
    for column in sorted(columns, key=lambda c: c.priority):
        if column.width + GAP <= room:
            chosen.append(column)
            room -= column.width + GAP
        elif column.priority:
            break
    kept = [column for column in columns if column in chosen]
    placed: list[Placed] = []
    start = left
    for column in kept:
        extra = min(column.grow, max(0, room))
        room -= extra
        placed.append(Placed(column, start, column.width + extra))
        start += column.width + extra + GAP
    return tuple(placed)


def falls(column: Column, order: str, *, descending: bool) -> bool:
    """Which way a column sorts when it is chosen: figures from the largest, names from A, the same one turned round."""
    return not descending if column.order == order else column.align == "right"


def column_at(placed: Sequence[Placed], cell: int) -> Column | None:
    """The column whose head is at this cell of the line."""
    return next((one.column for one in placed if one.start <= cell < one.start + one.width + GAP), None)


def head_line(
    placed: Sequence[Placed], order: str, descending: bool, glyphs: Glyphs, left: int = 3, marked: str = ""
) -> Line:
    """The heads, with an arrow at the column that sorts; `marked` is one more that stands out."""
    line: list[Span] = [(" " * left, "head")]
    for place in placed:
        sorts = order != "" and place.column.order == order
        arrow = (glyphs.down if descending else glyphs.up) if sorts else ""
        title: Line = (
            (place.column.title, "strong" if sorts or place.column.order == marked else "head"),
            (arrow, "title"),
        )
        line += fit_line(title, place.width, place.column.align, glyphs.ellipsis)
        line.append((" " * GAP, "head"))
    return tuple(line)


def row_line(placed: Sequence[Placed], row: Row, drawing: Drawing, *, selected: bool, left: int = 3) -> Line:
    """One row; neighbours of one tone are one piece. It is made for every row in sight each second."""
    mark = drawing.glyphs.cursor if selected else " "
    text, tone = mark + " " * (left - 1), "cursor"
    line: list[Span] = []
    for place in placed:
        column, width = place.column, place.width
        cell = column.cell(row, drawing)
        if len(cell) != 1:
            for piece, its_tone in fit_line(cell, width, column.align, drawing.glyphs.ellipsis):
                if its_tone == tone:
                    text += piece
                else:
                    line.append((text, tone))
                    text, tone = piece, its_tone
            text += _GAP_TEXT
            continue
        [(piece, its_tone)] = cell
        if len(piece) > width or not piece.isascii():
            piece = fit(piece, width, column.align, drawing.glyphs.ellipsis)
        elif column.align == "right":
            piece = piece.rjust(width)
        else:
            piece = piece.ljust(width)
        if its_tone == tone:
            text += piece + _GAP_TEXT
        else:
            line.append((text, tone))
            text, tone = piece + _GAP_TEXT, its_tone
    line.append((text, tone))
    return tuple(line)


def needed_columns(columns: Sequence[Column], always: Sequence[str]) -> tuple[str, ...]:
    """The view's columns that these columns read, each once."""
    names = [*always, *(name for column in columns for name in column.needs)]
    return tuple(dict.fromkeys(names))
