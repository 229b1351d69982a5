"""Which devices of a source are known, which of them are there, and when to look for the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from steelyard_agent.model import DeviceInfo

LOOK_AGAIN_S: Final = 300.0
_FIRST_BACKOFF_S: Final = 2.0
_LAST_BACKOFF_S: Final = 120.0
# A node without the library may get it by an update of its driver, not within seconds.
NO_LIBRARY_S: Final = 600.0

State = Literal["present", "lost", "quarantined"]


@dataclass(slots=True)
class Known:
    """A device and whether it may be called."""

    info: DeviceInfo
    state: State = "present"
    reason: str = ""
    since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Changes:
    """What a discovery has brought: uids."""

    new: tuple[str, ...]
    back: tuple[str, ...]
    lost: tuple[str, ...]


class Roster:
    """The devices by uid, in the order of their discovery. Not locked: its owner does that."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.next_look_s = 0.0
        self._backoff_s = _FIRST_BACKOFF_S
        self._last_loss_s = float("-inf")

    def present(self) -> list[DeviceInfo]:
        """The devices that may be called."""
        return [known.info for known in self.known.values() if known.state == "present"]

    def count(self, state: State) -> int:
        """How many devices are in a state."""
        return sum(known.state == state for known in self.known.values())

    def lose(self, uid: str, reason: str, now_s: float) -> bool:
        """Takes a device as gone; a search comes soon, later each time it happens again. False if it was gone."""
        known = self.known.get(uid)
        if known is None or known.state != "present":
            return False
        known.state, known.reason, known.since_s = "lost", reason, now_s
        if now_s - self._last_loss_s > LOOK_AGAIN_S:
            self._backoff_s = _FIRST_BACKOFF_S
        self._last_loss_s = now_s
        self.next_look_s = min(self.next_look_s, now_s + self._backoff_s)
        return True

    def quarantine(self, uid: str, reason: str, now_s: float) -> None:
        """Leaves a device alone until its call has ended."""
        if (known := self.known.get(uid)) is not None:
            known.state, known.reason, known.since_s = "quarantined", reason, now_s

    def release(self, uid: str) -> float | None:
        """Allows calls to a quarantined device again; returns since when it was quarantined."""
        known = self.known.get(uid)
        if known is None or known.state != "quarantined":
            return None
        known.state, known.reason = "present", ""
        return known.since_s

    def update(self, found: Sequence[DeviceInfo], now_s: float) -> Changes:
        """Takes in a discovery. A quarantined device stays so."""
        new, back = [], []
        for info in found:
            known = self.known.get(info.uid)
            if known is None:
                self.known[info.uid] = Known(info)
                new.append(info.uid)
                continue
            known.info = info
            if known.state == "lost":
                known.state, known.reason = "present", ""
                back.append(info.uid)
        uids = {info.uid for info in found}
        self.plan_look(now_s)
        lost = [uid for uid in self.known if uid not in uids and self.lose(uid, "no longer listed", now_s)]
        return Changes(tuple(new), tuple(back), tuple(lost))

    def plan_look(self, now_s: float, *, failed: bool = False) -> None:
        """Sets when to look again: soon while a device is missing or the look failed, else every few minutes."""
        if failed or self.count("lost"):
            self._backoff_s = min(self._backoff_s * 2, _LAST_BACKOFF_S)
            self.next_look_s = now_s + self._backoff_s
        else:
            self.next_look_s = now_s + LOOK_AGAIN_S
