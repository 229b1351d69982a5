"""What an icicle is drawn of: the stacks of one profile, or of two beside one another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from steelyard_tui.flame.tree import Weighted

if TYPE_CHECKING:
    from steelyard_traces.profile import Stack

Unit = Literal["ns", "samples"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The stacks, and what they are of.

    Attributes:
        title: of the profile that is drawn.
        unit: of the weights.
        before: the title of the other profile; empty where there is one alone.
    """

    title: str
    stacks: tuple[Weighted, ...]
    unit: Unit = "ns"
    before: str = ""

    def swapped(self) -> "Shown":
        """The other profile drawn, with the change from this one."""
        stacks = tuple(Weighted(stack.frames, stack.before, stack.weight) for stack in self.stacks)
        return replace(self, title=self.before, before=self.title, stacks=stacks)


def shown(title: str, stacks: Iterable["Stack"]) -> Shown:
    """One recording."""
    return Shown(title, tuple(Weighted(stack.frames, stack.duration_ns) for stack in stacks))


def compared(a: Shown, b: Shown) -> Shown:
    """B as it is drawn, with the change from A; a path in both stands in it twice, which the tree adds up."""
    was = (Weighted(stack.frames, 0, stack.weight) for stack in a.stacks)
    return Shown(b.title, (*b.stacks, *was), b.unit, a.title)


def compared_kinds(a: Mapping[str, Shown], b: Mapping[str, Shown]) -> dict[str, Shown]:
    """The kinds of stacks that both have, each compared."""
    return {kind: compared(a[kind], b[kind]) for kind in b if kind in a}
