"""Asks devices one by one and goes on without one that hangs, so that one sick device hides no other.

Each is asked by a thread of its own, for a call into a driver can't be cut off. One whose thread still hangs is not
asked again until it has come back.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from steelyard_proto.errors import DeviceError, DeviceTimeout

# One by one takes milliseconds. The first that hangs is given this long in a look, each further one the less, so that
# a node of which every device hangs is through within the guard's deadline of a look (5 s).
_FIRST_S: Final = 2.0
_FURTHER_S: Final = 0.2

_Told = TypeVar("_Told")


class _Attempt(Generic[_Told]):
    """One device, asked in a thread."""

    def __init__(self, ask: Callable[[], _Told], name: str) -> None:
        self.told: _Told | None = None
        self.error: DeviceError | None = None
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
    """Looks at devices, and remembers which of them hang."""

    def __init__(
        self, ask: Callable[[int], _Told], vendor: str, what: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Asks nothing yet.

        Args:
            ask: asks the device of a number; raises DeviceError.
            vendor: for errors.
            what: such a device is, in words.
            monotonic: seconds.
        """
        self._ask = ask
        self._vendor = vendor
        self._what = what
        self._monotonic = monotonic
        self._hanging: dict[int, _Attempt[_Told]] = {}

    @property
    def hangs(self) -> bool:
        """Whether a call of an earlier look is still under way."""
        return any(not attempt.is_over() for attempt in self._hanging.values())

    def look(self, numbers: Iterable[int]) -> Iterator[tuple[int, _Told | DeviceError]]:
        """What each tells, or why it can't now; in the order given."""
        left_s = _FIRST_S
        for number in numbers:
            attempt = self._hanging.pop(number, None) or self._attempt(number)
            started_s = self._monotonic()
            if attempt.is_over(max(_FURTHER_S, left_s)):
                yield number, self._result(attempt, number)
                continue
            left_s -= self._monotonic() - started_s
            self._hanging[number] = attempt
            yield number, DeviceTimeout("hangs", vendor=self._vendor, call="describe", device=self._label(number))

    def _attempt(self, number: int) -> _Attempt[_Told]:
        return _Attempt(lambda: self._ask(number), f"look-{self._what}-{number}")

    def _label(self, number: int) -> str:
        return f"{self._what} {number}"

    def _result(self, attempt: _Attempt[_Told], number: int) -> _Told | DeviceError:
        if attempt.told is not None:
            return attempt.told
        if attempt.error is not None:
            return attempt.error
        # Anything else has ended the thread with a trace of its own.
        return DeviceError("could not be described", vendor=self._vendor, call="describe", device=self._label(number))
