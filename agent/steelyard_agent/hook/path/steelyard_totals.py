"""The steps, seconds and tokens of a process since its training began. Standard library only, valid for Python 3.8."""

import time

from steelyard_tokens import plus


class Totals:
    """Counts from the end of one step to the end of the next; the first end only sets the clock."""

    def __init__(self):
        # type: () -> None
        self.end_s = 0.0
        self.steps = self.marked_steps = 0
        self.seconds = self.marked_seconds = self.gap_s = 0.0
        # By kind, as steelyard_tokens counts them, and in how many steps each was known.
        self.counts = [None, None, None, None]  # type: list[int | None]
        self.known = [0, 0, 0, 0]
        self.marked_tokens = None  # type: int | None
        self.last_mark = ""
        self._evaluations = 0
        self._last = (None, "", None)  # type: tuple[float | None, str, int | None]

    def end_step(self, now_s, forward_s, counts, mark, has_evaluated):  # type: ignore[no-untyped-def]
        """A step has ended.

        Args:
            now_s: when.
            forward_s: when its first forward began; 0 where none was seen.
            counts: its tokens by kind.
            mark: what else happened since the last step; empty for nothing.
            has_evaluated: the model was called without gradients, in evaluation mode.
        """
        if not mark and has_evaluated:
            # Where most steps have evaluations before them, these belong to the training (rollouts).
            self._evaluations += 1
            mark = "evaluate" if self._evaluations * 2 <= self.steps + 2 else ""
        took_s = now_s - self.end_s if self.end_s else None
        if took_s is not None and mark:
            self.marked_steps += 1
            self.marked_seconds += took_s
            self.marked_tokens = plus(self.marked_tokens, counts[0])
            self.last_mark = mark
        elif took_s is not None:
            self.steps += 1
            self.seconds += took_s
            self.counts = [plus(a, b) for a, b in zip(self.counts, counts)]
            self.known = [n + (count is not None) for n, count in zip(self.known, counts)]
            if forward_s > self.end_s:
                self.gap_s += forward_s - self.end_s
        self._last = (took_s, mark, counts[0])
        self.end_s = now_s

    def fields(self):
        # type: () -> list[tuple[str, object]]
        """What the datagram of a step says."""
        took_s, mark, tokens = self._last
        # A kind that was known for some steps only has no total that could be told.
        counts = [count if self.known[0] == n else None for count, n in zip(self.counts, self.known)]
        return [
            ("time", "%.6f" % time.time()),
            ("steps", self.steps),
            ("seconds", "%.6f" % self.seconds),
            ("tokens", counts[0]),
            ("nonpad_tokens", counts[1]),
            ("loss_tokens", counts[2]),
            ("samples", counts[3]),
            ("token_steps", self.known[0]),
            ("marked_steps", self.marked_steps),
            ("marked_seconds", "%.6f" % self.marked_seconds),
            ("marked_tokens", self.marked_tokens),
            ("last_mark", self.last_mark or None),
            ("gap_seconds", "%.6f" % self.gap_s),
            ("step_seconds", None if took_s is None else "%.6f" % took_s),
            ("step_tokens", tokens),
            ("mark", mark or None),
        ]
