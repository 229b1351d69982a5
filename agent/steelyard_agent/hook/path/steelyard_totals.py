"""The steps, seconds and tokens of a process since its training began. Standard library only, valid for Python 3.8."""

import time

from steelyard_tokens import plus

_LINES = """\
time=%.6f
steps=%d
seconds=%.6f
token_steps=%d
marked_steps=%d
marked_seconds=%.6f
gap_seconds=%.6f"""
_COUNTS = ("tokens", "nonpad_tokens", "loss_tokens", "samples")


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
            for kind, count in enumerate(counts):
                if count is not None:
                    self.counts[kind] = plus(self.counts[kind], count)
                    self.known[kind] += 1
            if forward_s > self.end_s:
                self.gap_s += forward_s - self.end_s
        self._last = (took_s, mark, counts[0])
        self.end_s = now_s

    def lines(self):
        # type: () -> str
        """What the datagram of a step says; a figure that is absent has no line."""
        took_s, mark, tokens = self._last
        text = _LINES % (
            time.time(), self.steps, self.seconds, self.known[0], self.marked_steps, self.marked_seconds, self.gap_s,
        )  # fmt: skip
        for name, count, known in zip(_COUNTS, self.counts, self.known):
            # A kind that was known for some steps only has no total that could be told.
            if count is not None and known == self.known[0]:
                text += "\n%s=%d" % (name, count)
        if took_s is not None:
            text += "\nstep_seconds=%.6f" % took_s
        if tokens is not None:
            text += "\nstep_tokens=%d" % tokens
        if self.marked_tokens is not None:
            text += "\nmarked_tokens=%d" % self.marked_tokens
        if self.last_mark:
            text += "\nlast_mark=" + self.last_mark
        if mark:
            text += "\nmark=" + mark
        return text
