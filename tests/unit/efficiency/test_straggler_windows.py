"""Groups with long collectives are told from ranks that are waited for; a window bears a cause out, or doesn't."""

from collections.abc import Mapping
from typing import Literal

import pytest

from steelyard_efficiency.straggler_windows import (
    LINK_NEAR_MS,
    NEAR_MS,
    Window,
    confirmation,
    link_confirmation,
    link_signal,
)

RANKS = {device: device for device in range(8)}


def window(device: int, ts_ms: int = 0, compute: float = 0.8, idle: float = 0.05, **collectives: float) -> Window:
    return Window(device, ts_ms, f"p{device}", "kineto", compute, idle, collectives or {"all_reduce": 0.1})


def all_windows(**of_device: Mapping[str, float]) -> dict[int, Window]:
    usual = {"all_reduce": 0.10, "reduce_scatter": 0.05}
    return {device: window(device, **{**usual, **of_device.get(f"d{device}", {})}) for device in RANKS}


def test_a_slow_link_is_that_of_the_group_whose_members_all_take_long() -> None:
    # Tensor groups of two; the second has a slow link, and the others wait for it where gradients are summed.
    waiting = {f"d{device}": {"reduce_scatter": 0.13} for device in (0, 1, 4, 5, 6, 7)}
    found, absent = link_signal(all_windows(d2={"all_reduce": 0.18}, d3={"all_reduce": 0.18}, **waiting), RANKS, 2)
    assert absent == ""
    assert {device: round(value, 6) for device, value in found.items()} == {
        device: 1.08 if device in (2, 3) else 1.0 for device in RANKS
    }


def test_who_waits_for_a_rank_of_its_group_has_no_slow_link() -> None:
    # Rank 2 comes late: rank 3 stands in their collective, and it doesn't.
    found, _ = link_signal(all_windows(d3={"all_reduce": 0.25}), RANKS, 2)
    assert set(found.values()) == {1.0}


def test_ranks_in_the_same_place_of_their_tensor_groups_are_groups_too() -> None:
    # Four in a group: the summing of gradients is slow for those in the third place.
    slow = {f"d{device}": {"reduce_scatter": 0.09} for device in (2, 6)}
    found, _ = link_signal(all_windows(**slow), RANKS, 4)
    assert [device for device, value in found.items() if value > 1.01] == [2, 6]


def test_without_what_it_takes_there_is_a_reason() -> None:
    windows = all_windows()
    assert link_signal(windows, RANKS, None) == ({}, "its tensor parallel size isn't known, so its groups aren't")
    assert "one group" in link_signal(windows, RANKS, 1)[1]
    assert "no rank was profiled" in link_signal({}, RANKS, 2)[1]
    del windows[5]
    # Three whole tensor groups are left, and neither place's.
    assert link_signal(windows, RANKS, 2) == (
        {}, "fewer than 4 groups had all of their ranks profiled in the last two hours"
    )  # fmt: skip
    # A rank that isn't known may be the one for which its group waits.
    assert link_signal(all_windows(), {**RANKS, 5: None}, 2)[0] == {}


@pytest.mark.parametrize(
    ("cause", "own", "verdict", "excess"),
    [
        ("clock", window(0, compute=0.88), True, 0.1),
        ("clock", window(0, compute=0.808), False, 0.01),
        ("host", window(0, idle=0.09), True, 0.04),
        ("host", window(0, idle=0.05), False, 0.0),
    ],
)
def test_a_window_confirms_or_refutes(
    cause: Literal["clock", "host"], own: Window, verdict: bool, excess: float
) -> None:
    said = confirmation(cause, own, [own, *(window(device) for device in (1, 2, 3))])
    assert (said.is_confirmed, said.absent, said.profile) == (verdict, "", "p0")
    assert said.excess == pytest.approx(excess)
    # A clock's is a ratio of the 0.8 that the others compute.
    assert said.lost == pytest.approx(excess * 0.8 if cause == "clock" else excess)


def test_no_window_or_no_peers_say_nothing() -> None:
    assert confirmation("clock", None, []).absent == "no profile window of this rank since it was found"
    own = window(0, NEAR_MS + 1)
    far = [window(1), window(2, NEAR_MS), window(3, NEAR_MS)]
    assert confirmation("clock", own, far).is_confirmed is None
    # Of several windows of a peer the nearest counts.
    near = [window(device, NEAR_MS, compute=0.5) for device in (1, 2, 3)]
    again = [window(device, 2 * NEAR_MS, compute=0.9) for device in (1, 2, 3)]
    assert confirmation("clock", own, [*near, *again]).is_confirmed is True


def test_a_slow_link_is_confirmed_by_the_windows_of_its_whole_group() -> None:
    slow = all_windows(d2={"all_reduce": 0.18}, d3={"all_reduce": 0.17})
    said = link_confirmation(slow[2], list(slow.values()), RANKS, 2)
    assert (said.is_confirmed, said.profile, said.excess) == (True, "p2", pytest.approx(0.07))
    # Its own is as long, but another of its group doesn't stand in it: that is a wait.
    waits = all_windows(d2={"all_reduce": 0.18})
    said = link_confirmation(waits[2], list(waits.values()), RANKS, 2)
    assert (said.is_confirmed, said.excess) == (False, pytest.approx(0.0))


def test_without_its_whole_group_nothing_is_said_of_a_link() -> None:
    slow = all_windows(d2={"all_reduce": 0.18}, d3={"all_reduce": 0.18})
    own, peers = slow.pop(2), list(slow.values())
    assert link_confirmation(None, peers, RANKS, 2).absent == "no profile window of this rank since it was found"
    assert link_confirmation(own, peers, RANKS, 1).absent.startswith("all ranks of a stage are one group")
    assert link_confirmation(own, peers[1:], RANKS, 2).absent.startswith("fewer than 4 groups")
    more = {device: device for device in range(10)}
    alone = [one for one in [*peers, window(8), window(9)] if one.device != 3]
    said = link_confirmation(own, alone, more, 2)
    assert (said.is_confirmed, said.profile) == (None, "p2")
    assert said.absent.startswith("not all of its group")
    late = window(3, LINK_NEAR_MS + 1, all_reduce=0.18)
    assert link_confirmation(own, [*alone, late], more, 2).is_confirmed is None
    assert link_confirmation(own, [*alone, window(3, LINK_NEAR_MS, all_reduce=0.18)], more, 2).is_confirmed is True
