"""Describes cards one by one and goes on without one that hangs, so that one sick card hides no other.

Each card is asked by a thread of its own, for a call into the driver can't be cut off. A card whose thread still
hangs is not asked again until it has come back.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from steelyard_agent.devices.dcmi.card import Card
from steelyard_agent.devices.dcmi.errors import VENDOR
from steelyard_proto.errors import DeviceError, DeviceTimeout

# Card by card takes milliseconds. The first that hangs is given this long in a look, each further one the less, so
# that a node of which every card hangs is through within the guard's deadline of a look (5 s).
_FIRST_S: Final = 2.0
_FURTHER_S: Final = 0.2


class _Attempt:
    """One card, asked in a thread."""

    def __init__(self, describe: Callable[[], Card]) -> None:
        self.card: Card | None = None
        self.error: DeviceError | None = None
        self._describe = describe
        self._thread = threading.Thread(target=self._run, name="dcmi-card", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.card = self._describe()
        except DeviceError as error:
            self.error = error

    def is_over(self, timeout_s: float) -> bool:
        """Waits at most so long."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


class PatientLook:
    """Looks at cards, and remembers which of them hang."""

    def __init__(self, describe: Callable[[int], Card], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Asks nothing yet.

        Args:
            describe: describes the card of an id; raises DeviceError.
            monotonic: seconds.
        """
        self._describe = describe
        self._monotonic = monotonic
        self._hanging: dict[int, _Attempt] = {}

    def look(self, cards: Iterable[int]) -> Iterator[tuple[int, Card | DeviceError]]:
        """Each card, or why it can't be described now; in the order given."""
        left_s = _FIRST_S
        for number in cards:
            attempt = self._hanging.pop(number, None) or _Attempt(lambda card=number: self._describe(card))  # type: ignore[misc]
            started_s = self._monotonic()
            if attempt.is_over(max(_FURTHER_S, left_s)):
                yield number, _result(attempt, number)
                continue
            left_s -= self._monotonic() - started_s
            self._hanging[number] = attempt
            yield number, DeviceTimeout("hangs", vendor=VENDOR, call="describe", device=f"card {number}")


def _result(attempt: _Attempt, number: int) -> Card | DeviceError:
    if attempt.card is not None:
        return attempt.card
    if attempt.error is not None:
        return attempt.error
    # Anything else has ended the thread with a trace of its own.
    return DeviceError("could not be described", vendor=VENDOR, call="describe", device=f"card {number}")
