"""From stacks to a tree of frames in arrays, a level after another, so that any part of it is laid out at once."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

ROOT = 0
WHOLE = "all"


@dataclass(frozen=True, slots=True)
class Weighted:
    """A stack and what it weighs: nanoseconds or samples; `before` in the other of two profiles."""

    frames: tuple[str, ...]
    weight: int
    before: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes by level; within a level by parent, and of one parent the heaviest first.

    So the children of a node stand together, and `start` rises within each level.

    Attributes:
        names: of frames, by label; the root's is the last.
        levels: the first node of each level, and the number of nodes at the end.
        label: of each node.
        parent: of each node; the root is its own.
        children: the first child of each node; those of the next node begin where its own end.
        start: where a node begins, in units of weight from the left edge of the root.
        total: of a node with all below it.
        own: of a node without what is below it.
        before: `total` in the other profile; None where there is none.
        own_before: `own` in the other profile.
    """

    names: tuple[str, ...]
    levels: tuple[int, ...]
    label: Ints
    parent: Ints
    children: Ints
    start: Ints
    total: Ints
    own: Ints
    before: Ints | None
    own_before: Ints | None

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.label)

    def depth(self, node: int) -> int:
        """How many frames are above a node."""
        return int(np.searchsorted(self.levels, node, "right")) - 1

    def name(self, node: int) -> str:
        """The frame of a node."""
        return self.names[int(self.label[node])]

    def path(self, node: int) -> list[int]:
        """The nodes from the root to this one."""
        nodes = [node]
        while node != ROOT:
            node = int(self.parent[node])
            nodes.append(node)
        return nodes[::-1]


def build_tree(
    stacks: Sequence[Weighted],
    *,
    has_before: bool = False,
    renamed: Callable[[str], str] | None = None,
    from_leaf: bool = False,
) -> Tree:
    """Builds the tree.

    Args:
        stacks: in any order; one path may occur more than once.
        has_before: whether they carry the weights of another profile too.
        renamed: makes one frame of several, asked once for each name.
        from_leaf: the innermost frame stands under the root, its callers below it.
    """
    labels, names = _labels(stacks, renamed)
    lengths = np.fromiter((len(stack.frames) for stack in stacks), np.int64, len(stacks))
    weight = np.fromiter((stack.weight for stack in stacks), np.int64, len(stacks))
    before = np.fromiter((stack.before for stack in stacks), np.int64, len(stacks)) if has_before else None
    ends = np.cumsum(lengths)
    first, step = (ends - 1, -1) if from_leaf else (ends - lengths, 1)
    count = len(names)
    growing = _Growing(count, int(weight.sum()), None if before is None else int(before.sum()))
    at = np.zeros(len(stacks), np.int64)
    for depth in range(int(lengths.max(initial=0))):
        active = np.flatnonzero(lengths > depth)
        pairs = at[active] * count + labels[first[active] + step * depth]
        at[active] = growing.level(pairs, weight[active], None if before is None else before[active])
    return growing.tree((*names, WHOLE), at, weight, before)


def _labels(stacks: Sequence[Weighted], renamed: Callable[[str], str] | None) -> tuple[Ints, list[str]]:
    """A number for the frame of each place of all stacks, and the names by number."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    flat = np.fromiter(map(numbers.__getitem__, chain.from_iterable(stack.frames for stack in stacks)), np.int64)
    if renamed is None:
        return flat, list(numbers)
    merged: defaultdict[str, int] = defaultdict()
    merged.default_factory = merged.__len__
    to = np.fromiter((merged[renamed(name)] for name in numbers), np.int64, len(numbers))
    return (to[flat] if len(flat) else flat), list(merged)


class _Growing:
    """The arrays of a tree while level is added to level."""

    def __init__(self, labels: int, total: int, before: int | None) -> None:
        self._labels = labels
        self._levels = [0, 1]
        self._label = [np.array([labels])]
        self._parent = [np.array([ROOT])]
        self._start = [np.array([0])]
        self._total = [np.array([total])]
        self._before = None if before is None else [np.array([before])]

    def level(self, pairs: Ints, weight: Ints, before: Ints | None) -> Ints:
        """Adds the nodes of one level, one for each distinct pair of parent and label; gives each stack's node."""
        found, inverse = np.unique(pairs, return_inverse=True)
        parent, label = np.divmod(found, self._labels)
        total = _sums(inverse, weight, len(found))
        order = np.lexsort((label, -total, parent))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        parent, total = parent[order], total[order]
        ahead = np.cumsum(total) - total
        begins = np.searchsorted(parent, parent)
        above, base = self._levels[-2], self._levels[-1]
        self._start.append(self._start[-1][parent - above] + ahead - ahead[begins])
        self._label.append(label[order])
        self._parent.append(parent)
        self._total.append(total)
        if self._before is not None and before is not None:
            self._before.append(_sums(inverse, before, len(found))[order])
        self._levels.append(base + len(found))
        return base + place[inverse]

    def tree(self, names: tuple[str, ...], at: Ints, weight: Ints, before: Ints | None) -> Tree:
        """The finished tree; `at` is the node in which each stack ends."""
        nodes = self._levels[-1]
        parent = np.concatenate(self._parent)
        return Tree(
            names=names,
            levels=tuple(self._levels),
            label=np.concatenate(self._label),
            parent=parent,
            # The root is no child, though its own parent.
            children=np.searchsorted(parent[1:], np.arange(nodes + 1)) + 1,
            start=np.concatenate(self._start),
            total=np.concatenate(self._total),
            own=_sums(at, weight, nodes),
            before=None if self._before is None else np.concatenate(self._before),
            own_before=None if before is None else _sums(at, before, nodes),
        )


def _sums(of: Ints, weight: Ints, count: int) -> Ints:
    """Sums by group, exact: a float of bincount holds 2^53 ns, which is a hundred days."""
    return np.bincount(of, weights=weight, minlength=count).astype(np.int64)
