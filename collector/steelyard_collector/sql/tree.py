"""The tree that EXPLAIN AST prints, read so strictly that nothing in it can pretend to stand elsewhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from steelyard_collector.sql.refusal import Refused

_LINE: Final = re.compile(r"^( *)(\S.*?)(?: \(children ([0-9]+)\))?$", re.DOTALL)
_ALIAS: Final = re.compile(r" \(alias .*\)$", re.DOTALL)


@dataclass(slots=True)
class Node:
    """A line of the tree.

    Attributes:
        kind: its first word, such as SelectQuery or Function.
        value: the rest without the alias: a function's or a table's name.
        children: what stands below it, in order.
    """

    kind: str
    value: str
    count: int
    children: list["Node"] = field(default_factory=list)

    def walk(self) -> Iterator[tuple["Node", "Node | None"]]:
        """This node and all below, each with its parent."""
        stack: list[tuple[Node, Node | None]] = [(self, None)]
        while stack:
            node, parent = stack.pop()
            yield node, parent
            stack.extend((child, node) for child in reversed(node.children))


def read_tree(text: str) -> Node:
    """Reads the whole answer of EXPLAIN AST.

    Raises:
        Refused: there is not exactly one tree, or a count of children doesn't fit.
    """
    path: list[Node] = []
    root: Node | None = None
    for line in text.split("\n"):
        if not line:
            continue
        depth, node = _node(line)
        if root is None and depth == 0:
            root = node
        elif 0 < depth <= len(path):
            path[depth - 1].children.append(node)
        else:
            raise _unclear()
        path[depth:] = [node]
    if root is None or any(len(node.children) != node.count for node, _ in root.walk()):
        raise _unclear()
    return root


def _node(line: str) -> tuple[int, Node]:
    found = _LINE.match(line)
    if found is None:
        raise _unclear()
    indent, label, count = found.groups()
    kind, _, value = _ALIAS.sub("", label).partition(" ")
    return len(indent), Node(kind, value, int(count or 0))


def _unclear() -> Refused:
    return Refused("this is not one plain query; send a single SELECT, and quote no unusual names")
