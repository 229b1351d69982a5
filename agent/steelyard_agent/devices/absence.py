"""Why a figure is absent, in a few words that stay the same from time to time, and how such absences are counted."""

from collections.abc import Mapping
from typing import Final, Literal

from steelyard_proto.errors import DeviceError, DeviceLost, DeviceTimeout, NotPermitted, NotSupported

Counted = Literal["hung", "lost", "refused", "failed"]

NOT_READ: Final = "not read in time"
TOO_MANY_HANG: Final = "too many calls hang"
# How the reason begins while nobody can read a source that has a process of its own.
ITS_PROCESS: Final = "its process"

_WORDS: Final[tuple[tuple[type[DeviceError], str], ...]] = (
    (DeviceLost, "gone"),
    (NotSupported, "not supported"),
    (NotPermitted, "not permitted"),
    (DeviceTimeout, "timed out"),
)
# How a reason begins, and what it counts as; one that begins otherwise has failed.
_COUNTED: Final[Mapping[str, Counted]] = {
    "quarantined": "hung",
    "timed out": "hung",
    NOT_READ: "hung",
    TOO_MANY_HANG: "hung",
    ITS_PROCESS: "hung",
    "lost": "lost",
    "gone": "lost",
    "not supported": "refused",
    "not permitted": "refused",
}


def reason(error: BaseException) -> str:
    """A short text for why a figure is absent, without what differs from time to time."""
    if not isinstance(error, DeviceError):
        return f"failed: {type(error).__name__}"
    word = next((word for kind, word in _WORDS if isinstance(error, kind)), "failed")
    return f"{word}: {error.call}" + ("" if error.code is None else f" ({error.code})")


def counted_as(absent: str) -> Counted:
    """Which of the agent's figures of its sources counts such an absence."""
    return next((kind for start, kind in _COUNTED.items() if absent.startswith(start)), "failed")
