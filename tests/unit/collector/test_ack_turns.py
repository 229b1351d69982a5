"""Acknowledgements are spread over a large fleet, and come at once in a small one."""

import pytest

from steelyard_collector.ingest.acks import AckTurns


def test_a_small_fleet_is_told_at_once() -> None:
    turns = AckTurns()
    turns.update(range(400))
    assert turns.take(1_000) == set(range(400))
    assert turns.take(1_000) == set()


@pytest.mark.parametrize(("pace_ms", "seconds"), [(2_000, 8), (5_000, 20), (10_000, 30)])
def test_a_large_one_in_turn(pace_ms: int, seconds: int) -> None:
    turns = AckTurns()
    fleet = set(range(1, 12_001))
    turns.update(fleet)
    told = [turns.take(pace_ms) for _ in range(seconds)]
    assert set().union(*told) == fleet
    assert {len(some) for some in told} == {len(fleet) // seconds}
    turns.update(fleet)
    again = [turns.take(pace_ms) for _ in range(seconds)]
    assert again == told, "each waits as long as before"


def test_nobody_is_left_out_when_the_fleet_grows() -> None:
    turns = AckTurns()
    turns.update(range(1000))
    told = turns.take(5_000)
    for pace_ms in (2_000, 10_000):
        told |= set().union(*(turns.take(pace_ms) for _ in range(30)))
    assert told == set(range(1000))
