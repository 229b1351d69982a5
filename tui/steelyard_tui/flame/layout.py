"""What of a tree fits a width: rows of cells, true to the weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_tui.flame.tree import ROOT, Tree

# Narrower siblings become one cell of their summed width: to leave them out would lie about time.
LEAST: Final = 3


@dataclass(frozen=True, slots=True)
class View:
    """What fills the width: a node, or what is left of it without its `skip` heaviest children."""

    node: int = ROOT
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a row from `left` to before `right`.

    Attributes:
        node: whose it is; of a merged one the heaviest.
        merged: how many siblings it stands for; 0 for a node of its own.
    """

    left: int
    right: int
    node: int
    merged: int = 0

    def view(self, tree: Tree) -> View:
        """What fills the width where this cell is entered."""
        if not self.merged:
            return View(self.node)
        parent = int(tree.parent[self.node])
        return View(parent, self.node - int(tree.children[parent]))


Row = tuple[Cell, ...]


def span_of(tree: Tree, view: View) -> tuple[int, int]:
    """Where a view begins and ends, in units of weight."""
    begin = int(tree.start[view.node])
    if not view.skip:
        return begin, begin + int(tree.total[view.node])
    first, last = int(tree.children[view.node]) + view.skip, int(tree.children[view.node + 1]) - 1
    return int(tree.start[first]), int(tree.start[last] + tree.total[last])


def lay_out(tree: Tree, view: View, width: int, rows: int) -> list[Row]:
    """The rows from the view's own on, at most so many.

    Edges are rounded, never widths: so siblings don't drift, and each edge is off by half a cell at most.
    """
    begin, end = span_of(tree, view)
    span = end - begin
    if span <= 0 or width <= 0 or rows <= 0:
        return []
    # Of the arrays only a few hundred entries are read; a memoryview gives plain integers.
    children, start, total = tree.children.data, tree.start.data, tree.total.data

    def edge(weight: int) -> int:
        return ((weight - begin) * width * 2 + span) // (2 * span)

    def below(cell: Cell, skip: int) -> list[Cell]:
        found = []
        child, stop = children[cell.node] + skip, children[cell.node + 1]
        while child < stop and total[child] * width >= LEAST * span:
            found.append(Cell(edge(start[child]), edge(start[child] + total[child]), child))
            child += 1
        if child < stop:
            last = stop - 1
            left, right = edge(start[child]), edge(start[last] + total[last])
            if right > left:
                found.append(Cell(left, right, child, stop - child if stop - child > 1 else 0))
        return found

    laid: list[Row] = [(Cell(0, width, view.node),)]
    skip = view.skip
    while len(laid) < rows:
        row = tuple(child for cell in laid[-1] if not cell.merged for child in below(cell, skip))
        if not row:
            break
        laid.append(row)
        skip = 0
    return laid


def cell_at(row: Sequence[Cell], at: int) -> Cell | None:
    """The cell of a row over a column of the screen."""
    return next((cell for cell in row if cell.left <= at < cell.right), None)
