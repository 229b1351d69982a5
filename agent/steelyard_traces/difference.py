"""Two recordings side by side by operator class: which class makes the gap, in points that add up to it."""

from dataclasses import dataclass
from fractions import Fraction

from steelyard_proto.errors import ConfigError
from steelyard_traces.profile import Part, Profile


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes:
        divisor: what its times are divided by: steps times devices, or tokens times devices.
        total_ns: the sum of its parts, undivided.
    """

    path: str
    divisor: int
    total_ns: int

    def each_ns(self, total_ns: int) -> Fraction:
        """A time per step (or per token), exact."""
        return Fraction(total_ns, self.divisor)


@dataclass(frozen=True, slots=True)
class Change:
    """A class of operators in both.

    Attributes:
        points: percent of A's time per step that this class adds (or saves); all points add up to the gap.
    """

    layer: str
    class_name: str
    a_ns: int
    b_ns: int
    points: Fraction


@dataclass(frozen=True, slots=True)
class Difference:
    """The comparison.

    Attributes:
        per: what the times are of: `step`, `token`, or `recording` where neither marks steps.
        gap: how much more time B takes than A, in percent of A's.
        changes: the largest first, whichever way it goes.
    """

    a: Side
    b: Side
    per: str
    gap: Fraction
    changes: tuple[Change, ...]


def difference_of(
    a: Profile, b: Profile, steps: tuple[int | None, int | None], tokens: tuple[int, int] | None
) -> Difference:
    """Compares two recordings.

    Args:
        a: what is 100 %.
        b: what is compared with it.
        steps: how many steps each holds, where the user knows better than the recording.
        tokens: of one step on one device of each, where times per token are wanted.

    Raises:
        ConfigError: they can't be compared: one has a device and the other none, or steps in one alone.
    """
    if bool(a.devices) != bool(b.devices):
        with_device, without = (a, b) if a.devices else (b, a)
        raise ConfigError(
            f"{with_device.path} has work of a device and {without.path} has none; give two recordings of one kind",
            key="--file",
        )
    counts = [given or profile.step_count for given, profile in zip(steps, (a, b), strict=True)]
    if (counts[0] is None) != (counts[1] is None):
        lacking = (a, b)[counts.index(None)].path
        raise ConfigError(f"{lacking} marks no steps; say how many each holds: --steps N --steps N", key="--steps")
    if tokens and counts[0] is None:
        raise ConfigError(
            "no steps are marked, so tokens of a step say nothing; add --steps N", key="--tokens-per-step"
        )
    per_step = tokens or (1, 1)
    sides = [
        Side(profile.path, (count or 1) * max(profile.devices, 1) * of_step, profile.window_ns)
        for profile, count, of_step in zip((a, b), counts, per_step, strict=True)
    ]
    for side in sides:
        if not side.total_ns:
            raise ConfigError(f"{side.path} has no time in it; record again", key="--file")
    per = "token" if tokens else "step" if counts[0] is not None else "recording"
    whole = sides[0].each_ns(sides[0].total_ns)
    changes = _changes(a.parts, b.parts, sides[0], sides[1], whole)
    gap = (sides[1].each_ns(sides[1].total_ns) / whole - 1) * 100
    return Difference(sides[0], sides[1], per, gap, changes)


def _changes(a: tuple[Part, ...], b: tuple[Part, ...], of_a: Side, of_b: Side, whole: Fraction) -> tuple[Change, ...]:
    sums: dict[tuple[str, str], list[int]] = {}
    for side, parts in enumerate((a, b)):
        for part in parts:
            sums.setdefault((part.layer, part.name), [0, 0])[side] += part.duration_ns
    changes = [
        Change(layer, name, a_ns, b_ns, (of_b.each_ns(b_ns) - of_a.each_ns(a_ns)) / whole * 100)
        for (layer, name), (a_ns, b_ns) in sums.items()
    ]
    return tuple(sorted(changes, key=lambda change: (-abs(change.points), change.layer, change.class_name)))
