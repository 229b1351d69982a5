"""What may be asked of a tree: which frames the time of a view is in, and where a word stands."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from steelyard_tui.flame.layout import View
from steelyard_tui.flame.tree import ROOT, Ints, Tree


@dataclass(frozen=True, slots=True)
class Sum:
    """What is in all frames of one name, without what they call; `before` in the other profile."""

    name: str
    weight: int
    before: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """Where a word stands in a view: matching frames under no matching one, the heaviest first."""

    nodes: tuple[int, ...]
    weight: int


def own_sums(tree: Tree, view: View, *, from_leaf: bool = False) -> list[Sum]:
    """By name, the largest first; those of the other profile alone come by what they were.

    Args:
        tree: whose.
        view: the part of it.
        from_leaf: the tree stands on its innermost frames: of the whole those are summed, of a part its callers.
    """
    weight = np.zeros(len(tree.names), np.int64)
    before = None if tree.before is None else np.zeros(len(tree.names), np.int64)
    is_upside_down = from_leaf and view.node == ROOT
    of, of_before = (tree.total, tree.before) if is_upside_down else (tree.own, tree.own_before)
    parts = [slice(1 + view.skip, tree.levels[2])] if is_upside_down and len(tree.levels) > 2 else _parts(tree, view)
    for part in parts:
        label = tree.label[part]
        weight += np.bincount(label, weights=of[part], minlength=len(weight)).astype(np.int64)
        if before is not None and of_before is not None:
            before += np.bincount(label, weights=of_before[part], minlength=len(weight)).astype(np.int64)
    used = weight if before is None else weight + before
    # Names that weigh nothing are frames which only call others.
    return [
        Sum(tree.names[at], int(weight[at]), None if before is None else int(before[at]))
        for at in np.lexsort((-used, -weight))
        if used[at]
    ]


def find(tree: Tree, view: View, text: str) -> Found:
    """The frames whose name has the text in it, upper and lower case alike."""
    matches = matching(tree, text)
    covered = np.zeros(tree.nodes, bool)
    hits: list[Ints] = []
    for part in _parts(tree, view):
        is_under = covered[tree.parent[part]]
        is_hit = matches[tree.label[part]]
        covered[part] = is_under | is_hit
        hits.append(np.flatnonzero(is_hit & ~is_under) + part.start)
    nodes = np.concatenate(hits) if hits else np.zeros(0, np.int64)
    nodes = nodes[np.argsort(-tree.total[nodes], kind="stable")]
    return Found(tuple(nodes.tolist()), int(tree.total[nodes].sum()))


def matching(tree: Tree, text: str) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which labels have the text in their name; none where there is no text."""
    wanted = text.lower()
    return np.fromiter((bool(wanted) and wanted in name.lower() for name in tree.names), bool, len(tree.names))


def total_before(tree: Tree, view: View) -> int | None:
    """What the view was in the other profile."""
    if tree.before is None:
        return None
    if not view.skip:
        return int(tree.before[view.node])
    first, stop = tree.children[view.node] + view.skip, tree.children[view.node + 1]
    return int(tree.before[first:stop].sum())


def _parts(tree: Tree, view: View) -> Iterator[slice]:
    """The nodes of a view, which stand together on each level."""
    first, stop = view.node, view.node + 1
    skip = view.skip
    if not skip:
        yield slice(first, stop)
    while first < stop:
        first, stop = int(tree.children[first]) + skip, int(tree.children[stop])
        skip = 0
        if first < stop:
            yield slice(first, stop)
