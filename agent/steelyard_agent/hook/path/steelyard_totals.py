"""The steps, seconds and tokens of a process since its training began. Standard library only, valid for Python 3.8."""

import time

from steelyard_tokens import plus

_LINES = b"""\
steelyard 1 step
pid=%d
number=%d
time=%.3f
steps=%d
seconds=%.6f
token_steps=%d
marked_steps=%d
marked_seconds=%.6f
gap_seconds=%.6f"""
_COUNTS = (b"\ntokens=%d", b"\nnonpad_tokens=%d", b"\nloss_tokens=%d", b"\nsamples=%d")


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
                    self.counts[kind] = (self.counts[kind] or 0) + count
                    self.known[kind] += 1
            if forward_s > self.end_s:
                self.gap_s += forward_s - self.end_s
        self._last = (took_s, mark, counts[0])
        self.end_s = now_s

    def datagram(self, pid, number):
        # type: (int, int) -> bytes
        """What is told of a step, as docs/training.md has it; a figure that is absent has no line."""
        took_s, mark, tokens = self._last
        known = self.known
        counted = known[0]
        lines = _LINES
        values = [
            pid, number, time.time(), self.steps, self.seconds, counted, self.marked_steps, self.marked_seconds,
            self.gap_s,
        ]  # type: list[object]  # fmt: skip
        for kind, count in enumerate(self.counts):
            # A kind that was known for some steps only has no total that could be told.
            if count is not None and known[kind] == counted:
                lines += _COUNTS[kind]
                values.append(count)
        if took_s is not None:
            lines += b"\nstep_seconds=%.6f"
            values.append(took_s)
        if tokens is not None:
            lines += b"\nstep_tokens=%d"
            values.append(tokens)
        if self.marked_tokens is not None:
            lines += b"\nmarked_tokens=%d"
            values.append(self.marked_tokens)
        if self.last_mark:
            lines += b"\nlast_mark=" + self.last_mark.encode()
        if mark:
            lines += b"\nmark=" + mark.encode()
        return lines % tuple(values)
