"""What windows of a profiler say of slow ranks: which groups' collectives are long, and whether a cause holds.

A window tells how much of its time a device computed, did nothing, or stood in a kind of collective with nothing else
to do. A rank that comes late to a collective stands in it shortest; its group waits for it. So the time of a group is
that of its member with the shortest: what is left there is the transfer, not the wait. A slow link is long for all of
its group, and those who don't share it wait for them in other groups' collectives. Where all ranks are one group, no
collective tells one from another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal, TypeGuard

Cause = Literal["clock", "host", "link"]

# Fewer have no median worth the name.
LEAST_PEERS: Final = 4
# A rank's window is compared with its peers' so long before and after it: the ranks of a node take turns.
NEAR_MS: Final = 3_600_000
# All ranks of a group take so long.
LINK_NEAR_MS: Final = 2 * NEAR_MS
# As much as the detectors let pass.
_CLEAR: Final = 0.02


@dataclass(frozen=True, slots=True)
class Window:
    """One window of one rank's device.

    Attributes:
        device: its id.
        ts_ms: when it began, Unix time.
        profile: its id.
        profiler: what recorded it; two profilers don't cost the same.
        compute: share of the window, as the others are.
        idle: in which the device did nothing, data waits included.
        collectives: those that nothing hid, by kind.
    """

    device: int
    ts_ms: int
    profile: str
    profiler: str
    compute: float
    idle: float
    collectives: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the next window says of a cause.

    Attributes:
        is_confirmed: None where nothing can be said.
        absent: why; else empty.
        profile: the window's id.
        excess: how much longer the time was than the peers' median: a ratio for a clock, else a share of the window.
        lost: the same as a share of the window, by any cause.
    """

    is_confirmed: bool | None
    absent: str = ""
    profile: str = ""
    excess: float | None = None
    lost: float = 0.0


NO_WINDOW: Final = Confirmation(None, "no profile window of this rank since it was found")


def has_groups(tensor_parallel: int | None) -> TypeGuard[int]:
    """Whether ranks of a stage are known to be of several groups, which windows can compare."""
    return tensor_parallel is not None and tensor_parallel > 1


def link_signal(
    windows: Mapping[int, Window], ranks: Mapping[int, int | None], tensor_parallel: int | None
) -> tuple[dict[int, float], str]:
    """How much of the step the slowest collectives of a rank's groups take beyond those of the other groups.

    Args:
        windows: each device's newest.
        ranks: of the devices of one job, chip and pipeline stage.
        tensor_parallel: ranks of a tensor group, which follow one another; those in the same place of each are the
            other kind of group, over which gradients are summed.

    Returns:
        One plus that share, by device, for those that can be compared; and why there are none.
    """
    if tensor_parallel is None:
        return {}, "its tensor parallel size isn't known, so its groups aren't"
    if not has_groups(tensor_parallel):
        return {}, "all ranks of a stage are one group, whose collectives are long for all alike"
    if not windows:
        return {}, "no rank was profiled in the last two hours"
    placed = {device: rank for device, rank in ranks.items() if rank is not None}
    by_block: dict[int, list[int]] = {}
    by_place: dict[int, list[int]] = {}
    for device, rank in placed.items():
        by_block.setdefault(rank // tensor_parallel, []).append(device)
        by_place.setdefault(rank % tensor_parallel, []).append(device)
    found: dict[int, float] = {}
    for groups in (by_block, by_place):
        for device, value in _excess_of_groups(list(groups.values()), windows).items():
            found[device] = max(value, found.get(device, value))
    if not found:
        return {}, f"fewer than {LEAST_PEERS} groups had all of their ranks profiled in the last two hours"
    return found, ""


def _excess_of_groups(groups: Sequence[Sequence[int]], windows: Mapping[int, Window]) -> dict[int, float]:
    # A member that isn't known may be the one for which the others wait.
    size = max(map(len, groups), default=0)
    whole = [group for group in groups if len(group) == size > 1 and all(device in windows for device in group)]
    if len(whole) < LEAST_PEERS:
        return {}
    kinds = {kind for group in whole for device in group for kind in windows[device].collectives}
    excess = [0.0] * len(whole)
    for kind in kinds:
        times = [min(windows[device].collectives.get(kind, 0.0) for device in group) for group in whole]
        usual = median(times)
        excess = [max(before, time - usual) for before, time in zip(excess, times, strict=True)]
    return {device: 1.0 + value for group, value in zip(whole, excess, strict=True) for device in group}


def confirmation(cause: Literal["clock", "host"], own: Window | None, windows: Sequence[Window]) -> Confirmation:
    """Whether a slow rank's next window bears its cause out.

    Args:
        cause: by which it is slow.
        own: its first window after it was told.
        windows: of its peers, about the same time.
    """
    if own is None:
        return NO_WINDOW
    peers = _nearest(own, windows, NEAR_MS)
    if len(peers) < LEAST_PEERS - 1:
        few = f"fewer than {LEAST_PEERS - 1} of its peers have a window within an hour of its own"
        return Confirmation(None, few, own.profile)
    if cause == "host":
        idle = own.idle - median(peer.idle for peer in peers.values())
        return _clear(own, idle, idle)
    usual = median(peer.compute for peer in peers.values())
    if usual <= 0:
        return Confirmation(None, "its peers' windows tell of no such time", own.profile)
    return _clear(own, own.compute / usual - 1, own.compute - usual)


def link_confirmation(
    own: Window | None, windows: Sequence[Window], ranks: Mapping[int, int | None], tensor_parallel: int | None
) -> Confirmation:
    """The same of a slow link: by one window a wait for others can't be told from it, so it takes its whole group's.

    Args:
        own: the rank's first window after it was told.
        windows: of its peers after it was told, about the same time.
        ranks: by device, as for `link_signal`.
        tensor_parallel: likewise.
    """
    if own is None:
        return NO_WINDOW
    near = {**_nearest(own, windows, LINK_NEAR_MS), own.device: own}
    told, absent = link_signal(near, ranks, tensor_parallel)
    if own.device not in told:
        few = "not all of its group have a window since it was found, within two hours of its own"
        return Confirmation(None, absent or few, own.profile)
    longer = told[own.device] - 1
    return _clear(own, longer, longer)


def _clear(own: Window, excess: float, lost: float) -> Confirmation:
    return Confirmation(excess >= _CLEAR, "", own.profile, excess, lost)


def _nearest(own: Window, windows: Sequence[Window], within_ms: int) -> dict[int, Window]:
    """Of each peer the window that is nearest in time, by the same profiler."""
    nearest: dict[int, Window] = {}
    for one in windows:
        distance = abs(one.ts_ms - own.ts_ms)
        if one.device == own.device or one.profiler != own.profiler or distance > within_ms:
            continue
        known = nearest.get(one.device)
        if known is None or distance < abs(known.ts_ms - own.ts_ms):
            nearest[one.device] = one
    return nearest
