"""What a GPU has told, as events of ours."""

from collections import deque
from collections.abc import Callable
from typing import Final

from steelyard_agent.devices.base import DEVICES_CHANGED
from steelyard_agent.devices.nvml.xids import Severity, xid_meaning
from steelyard_agent.model import Event

_MOST_WAITING: Final = 256

_XID: Final = 0x8
RECOVERY: Final = 0x8000
# nvmlEventType -> what happened; clocks and power states change too often to be events.
_KINDS: Final[dict[int, tuple[Severity, str, str]]] = {
    0x2: ("error", "ecc_uncorrected", "double bit ECC error"),
    0x100: ("info", DEVICES_CHANGED, "the GPU's MIG instances have changed"),
    0x200: ("warning", "ecc_storm", "many single bit ECC errors"),
    0x400: ("warning", "memory_retired", "a memory row or page was set aside"),
    0x800: ("error", "memory_retirement_failed", "a memory row or page could not be set aside"),
    0x1000: ("warning", "poison", "poisoned memory was read; the program that read it was ended"),
    0x2000: ("error", "poison_fatal", "poisoned memory was read; the GPU has to be reset"),
    0x4000: ("error", "gpu_unavailable", "the GPU is not available"),
    RECOVERY: ("error", "recovery_action", "the GPU asks for recovery"),
}
# GET_GPU_RECOVERY_ACTION of nvml.h -> what is to be done.
_ACTIONS: Final[dict[int, str]] = {
    1: "reset it",
    2: "reboot the node",
    3: "drain the peers that reach its memory",
    4: "drain it, then reset it",
    5: "recover IMEX",
    6: "reset its bus",
    7: "reboot the system",
}
WANTED: Final = _XID | sum(_KINDS)


class Sink:
    """Events until somebody fetches them; the oldest go when nobody does."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._waiting: deque[Event] = deque(maxlen=_MOST_WAITING)
        self._standing: dict[tuple[str, str], int] = {}

    def put(self, kind: int, number: int, uid: str) -> None:
        """Takes what a wait has returned."""
        if kind == _XID:
            severity, text = xid_meaning(number)
            self._add(severity, f"xid_{number}", f"XID {number}: {text}", uid)
        elif kind in _KINDS:
            self._add(*_KINDS[kind], uid)

    def stands(self, uid: str, *, action: int | None, is_remap_failed: int | None) -> None:
        """Takes how a GPU stands; what has changed is an event. None: it does not tell."""
        if action is not None and self._is_new(uid, "recovery_action", action):
            text = f"the GPU asks for recovery: {_ACTIONS.get(action, f'action {action} of nvml.h')}"
            self._add("error" if action else "info", "recovery_action", text if action else "recovered", uid)
        if is_remap_failed is not None and self._is_new(uid, "remap_failed", is_remap_failed) and is_remap_failed:
            self._add("error", "remap_failed", "a memory row could not be remapped; the GPU has to be replaced", uid)

    def take(self) -> list[Event]:
        """What has come since the last call."""
        found: list[Event] = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found

    def _is_new(self, uid: str, code: str, state: int) -> bool:
        before = self._standing.get((uid, code), 0)
        self._standing[uid, code] = state
        return state != before

    def _add(self, severity: Severity, code: str, text: str, uid: str) -> None:
        self._waiting.append(Event(self._wall_ms(), severity, code, text, "nvml", uid))
