"""Whose turn it is to be acknowledged: each costs more than a message, and what waits for it is on the agent's disk."""

from collections.abc import Iterable
from typing import Final

# Divided by every number of turns that agents of one fleet wait.
_SLOTS: Final = 120
_SLOWEST: Final = 30
_FLUSHES: Final = 4


class AckTurns:
    """Agents with news. In a large fleet each waits for its number's turn, so that those that came together part."""

    def __init__(self) -> None:
        self._slots: list[set[int]] = [set() for _ in range(_SLOTS)]
        self._turn = 0

    def add(self, number: int) -> None:
        """Notes that there is something to tell an agent."""
        self._slots[number % _SLOTS].add(number)

    def update(self, numbers: Iterable[int]) -> None:
        """Notes several."""
        for number in numbers:
            self.add(number)

    def take(self, pace_ms: int) -> set[int]:
        """Whose turn has come; to be called about once a second.

        Args:
            pace_ms: how often agents of this fleet send.
        """
        turns = 1 if pace_ms <= 1_000 else min(_SLOWEST, _FLUSHES * pace_ms // 1_000)
        self._turn = (self._turn + 1) % _SLOTS
        taken: set[int] = set()
        for slot in range(self._turn % turns, _SLOTS, turns):
            taken |= self._slots[slot]
            self._slots[slot] = set()
        return taken
