"""Asks devices and goes on without one that hangs, so that one sick device hides no other.

Each is asked by a thread of its own, for a call into a driver can't be cut off. One whose thread hangs is not asked
again until it has come back. One after the other, as long as each answers at once: the next is not kept waiting by a
device that is slow, and a slow one has until the end of the look.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from steelyard_proto.errors import DeviceError, DeviceTimeout

# What a look takes at most while no device is known: less than the guard's deadline of a look (5 s).
FIRST_LOOK_S: Final = 2.0
# And while others are, whose ticks wait for it; what is not told by then is told to the next look.
LATER_LOOK_S: Final = 0.25
# The half of a first look: each device has had at least that by its end.
_HANGS_S: Final = FIRST_LOOK_S / 2

_Told = TypeVar("_Told")


class _Attempt(Generic[_Told]):
    """One device, asked in a thread."""

    def __init__(self, ask: Callable[[], _Told], name: str, now_s: float) -> None:
        self.told: _Told | None = None
        self.error: DeviceError | None = None
        self.started_s = now_s
        self._ask = ask
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.told = self._ask()
        except DeviceError as error:
            self.error = error

    def is_over(self, timeout_s: float = 0.0) -> bool:
        """Waits at most so long."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


class PatientLook(Generic[_Told]):
    """Looks at devices, and remembers which of them have not answered yet. Looks are made by one thread."""

    def __init__(
        self,
        ask: Callable[[int], _Told],
        vendor: str,
        what: str,
        *,
        each_s: float = 0.2,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Asks nothing yet.

        Args:
            ask: asks the device of a number; raises DeviceError.
            vendor: for errors.
            what: such a device is, in words.
            each_s: after which the next device is asked beside one that hasn't answered.
            monotonic: seconds.
        """
        self._ask = ask
        self._vendor = vendor
        self._what = what
        self._each_s = each_s
        self._monotonic = monotonic
        self._under_way: dict[int, _Attempt[_Told]] = {}

    def under_way_s(self) -> list[float]:
        """How long each call has taken that an earlier look didn't wait for; may be called by any thread."""
        now_s = self._monotonic()
        return [now_s - attempt.started_s for attempt in list(self._under_way.values()) if not attempt.is_over()]

    def look(self, numbers: Iterable[int], patience_s: float) -> Iterator[tuple[int, _Told | DeviceError]]:
        """What each device tells, or why it can't, in the order given; nothing of one that may still answer.

        Args:
            numbers: the devices.
            patience_s: how long this takes at most.
        """
        asked = list(numbers)
        begun_s = self._monotonic()
        until_s = begun_s + patience_s
        each_s = min(self._each_s, patience_s / 2 / max(1, len(asked)))
        for number in asked:
            if number not in self._under_way:
                self._under_way[number] = self._attempt(number)
                self._under_way[number].is_over(each_s)
        for number in asked:
            attempt = self._under_way[number]
            # One that hangs since an earlier look is not waited for again.
            is_waited_for = begun_s - attempt.started_s < _HANGS_S
            if attempt.is_over(max(0.0, until_s - self._monotonic()) if is_waited_for else 0.0):
                del self._under_way[number]
                yield number, self._result(attempt, number)
            elif self._monotonic() - attempt.started_s >= _HANGS_S:
                yield number, DeviceTimeout("hangs", vendor=self._vendor, call="describe", device=self._label(number))

    def forget(self) -> list[_Told]:
        """What was told too late for any look so far; it is not told again."""
        over = {number: attempt for number, attempt in self._under_way.items() if attempt.is_over()}
        for number in over:
            del self._under_way[number]
        return [attempt.told for attempt in over.values() if attempt.told is not None]

    def _attempt(self, number: int) -> _Attempt[_Told]:
        return _Attempt(lambda: self._ask(number), f"look-{self._what}-{number}", self._monotonic())

    def _label(self, number: int) -> str:
        return f"{self._what} {number}"

    def _result(self, attempt: _Attempt[_Told], number: int) -> _Told | DeviceError:
        if attempt.told is not None:
            return attempt.told
        if attempt.error is not None:
            return attempt.error
        # Anything else has ended the thread with a trace of its own.
        return DeviceError("could not be described", vendor=self._vendor, call="describe", device=self._label(number))
