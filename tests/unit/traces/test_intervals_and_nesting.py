"""Unions, overlaps and nesting against the plainest way to compute them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard_traces.intervals import Intervals, covered_ns, first_come, sorted_intervals, union
from steelyard_traces.nesting import NO_PARENT, nest

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 15)), max_size=25)
CALLS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 20)), max_size=25)


def _intervals(spans: list[tuple[int, int]]) -> Intervals:
    start = np.array([s for s, _ in spans], dtype=np.int64)
    ordered, _ = sorted_intervals(start, start + np.array([d for _, d in spans], dtype=np.int64))
    return ordered


def _moments(spans: list[tuple[int, int]]) -> set[int]:
    return {moment for start, length in spans for moment in range(start, start + length)}


@settings(deadline=None)
@given(SPANS, SPANS)
def test_unions_and_overlaps_are_what_counting_moments_gives(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    a, b = _intervals(one), _intervals(other)
    assert union(a).total_ns == first_come(a).total_ns == len(_moments(one))
    assert int(covered_ns(union(a), union(b)).sum()) == len(_moments(one) & _moments(other))
    for start, end, covered in zip(b.start_ns, b.end_ns, covered_ns(union(a), b), strict=True):
        assert covered == len(_moments(one) & set(range(start, end)))


def _by_hand(calls: list[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int]]:
    """Parents, self times and lengths after the cuts with a stack, one call at a time."""
    parents, left, ends = [NO_PARENT] * len(calls), [0] * len(calls), [0] * len(calls)
    opened: dict[int, list[int]] = {}
    for i in sorted(range(len(calls)), key=lambda i: (calls[i][0], calls[i][1], -calls[i][2], i)):
        thread, start, length = calls[i]
        stack = opened.setdefault(thread, [])
        while stack and ends[stack[-1]] <= 2 * start:
            stack.pop()
        ends[i] = 2 * start + max(2 * length, 1)
        while stack and ends[i] + 2 * start > 2 * ends[stack[-1]]:
            ends[stack.pop()] = 2 * start
        if stack:
            parents[i] = stack[-1]
            ends[i] = min(ends[i], ends[stack[-1]])
        stack.append(i)
    lengths = [(ends[i] - 2 * start) // 2 for i, (_, start, _) in enumerate(calls)]
    for i, length in enumerate(lengths):
        left[i] += length
        if parents[i] != NO_PARENT:
            left[parents[i]] -= length
    return parents, left, lengths


@settings(deadline=None)
@given(CALLS)
def test_nesting_is_what_a_stack_gives_and_adds_up(calls: list[tuple[int, int, int]]) -> None:
    columns = np.array(calls, dtype=np.int64).reshape(-1, 3)
    nesting = nest(columns[:, 0], columns[:, 1], columns[:, 2])
    parents, left, lengths = _by_hand(calls)
    assert nesting.parent.tolist() == parents
    assert nesting.self_ns.tolist() == left
    assert min(left, default=0) >= 0
    outermost = [i for i, parent in enumerate(parents) if parent == NO_PARENT]
    for thread in {thread for thread, _, _ in calls}:
        mine = [i for i in range(len(calls)) if calls[i][0] == thread]
        covered = sum(lengths[i] for i in outermost if i in mine)
        assert sum(left[i] for i in mine) == covered


def test_a_range_that_a_frame_opens_holds_what_comes_after_the_frame() -> None:
    """As torch.profiler tells a data loader with stacks: `__next__`, `__enter__` in it, the range, what it loads."""
    starts, lengths = np.array([0, 5, 8, 40]), np.array([100, 6, 90, 30])
    nesting = nest(np.ones(4, dtype=np.int64), starts, lengths)
    assert nesting.parent.tolist() == [NO_PARENT, 0, 0, 2]
    assert nesting.self_ns.tolist() == [100 - 3 - 90, 3, 90 - 30, 30]
    # An end that is rounded up is no reason to leave the call around.
    nesting = nest(np.array([1, 1]), np.array([0, 10]), np.array([100, 91]))
    assert (nesting.parent.tolist(), nesting.self_ns.tolist()) == ([NO_PARENT, 0], [10, 90])


def test_the_nearest_wanted_call_is_itself_or_around() -> None:
    nesting = nest(np.array([1, 1, 1]), np.array([0, 10, 20]), np.array([100, 50, 5]))
    wanted = np.array([True, False, False])
    assert nesting.nearest(np.array([2, 0, NO_PARENT]), wanted).tolist() == [0, 0, NO_PARENT]
    assert nesting.nearest(np.array([2]), np.zeros(3, dtype=np.bool_)).tolist() == [NO_PARENT]
