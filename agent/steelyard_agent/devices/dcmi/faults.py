"""Faults of NPUs as events, when they appear and when they are over: error codes, and the network's health."""

import ctypes
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from steelyard_agent.devices.dcmi.binding import decode
from steelyard_agent.devices.dcmi.readings import DeviceCalls
from steelyard_agent.devices.dcmi.slow import NETWORK_FAULTS
from steelyard_agent.model import Event
from steelyard_proto.errors import DeviceError

Severity = Literal["info", "warning", "error"]

SOURCE: Final = "dcmi"
# Less than 256 bytes make the library shorten its text, less than 48 are an error.
_TEXT_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error code says.

    Attributes:
        asks: what to do; empty where there is nothing to do.
    """

    severity: Severity
    text: str
    asks: str


@cache
def meanings() -> Mapping[int, Meaning]:
    """The codes of faults.toml."""
    table = tomllib.loads((Path(__file__).parent / "faults.toml").read_text(encoding="utf-8"))
    return {int(code, 16): Meaning(*_kind(table["asks"], kind, text)) for code, (kind, text) in table["code"].items()}


def meaning_of(code: int, calls: DeviceCalls) -> Meaning:
    """What a code says, by our table, else by the library's own text; one that nobody knows has neither."""
    return meanings().get(code) or Meaning("warning", _text_of(code, calls) or "unknown error code", "")


class FaultLog:
    """What is known of each device's faults, by uid; asked by one thread at a time for a device."""

    def __init__(self) -> None:
        self._codes: dict[str, Mapping[int, Meaning]] = {}
        self._network: dict[str, int] = {}

    def faults(self, uid: str, codes: Sequence[int], calls: DeviceCalls, ts_ms: int) -> list[Event]:
        """Takes the error codes that are active now; returns an event for each that is new and each that is gone."""
        before = self._codes.get(uid, {})
        now = {code: before.get(code) or meaning_of(code, calls) for code in codes}
        self._codes[uid] = now
        new = [_fault(uid, code, now[code], ts_ms) for code in now if code not in before]
        gone = [_over(uid, code, before[code], ts_ms) for code in before if code not in now]
        return new + gone

    def network(self, uid: str, level: int, ts_ms: int) -> list[Event]:
        """Takes the network's health; an event where it has become a fault, another one, or well again."""
        fault = level if level in NETWORK_FAULTS else 0
        before, self._network[uid] = self._network.get(uid, 0), fault
        if fault == before:
            return []
        if fault:
            text = f"the NPU's network: {NETWORK_FAULTS[fault]} ({fault})"
            return [Event(ts_ms, "warning", "network_fault", text, SOURCE, uid)]
        return [Event(ts_ms, "info", "network_fault_over", f"the NPU's network is well again ({level})", SOURCE, uid)]


def _kind(asks: Mapping[str, tuple[Severity, str]], kind: str, text: str) -> tuple[Severity, str, str]:
    severity, remedy = asks[kind]
    return severity, text, remedy


def _fault(uid: str, code: int, meaning: Meaning, ts_ms: int) -> Event:
    text = f"0x{code:08X}: {meaning.text}" + (f"; asks to {meaning.asks}" if meaning.asks else "")
    return Event(ts_ms, meaning.severity, f"npu_fault_{code:08X}", text, SOURCE, uid)


def _over(uid: str, code: int, meaning: Meaning, ts_ms: int) -> Event:
    text = f"0x{code:08X}: {meaning.text}: is over"
    return Event(ts_ms, "info", f"npu_fault_{code:08X}_over", text, SOURCE, uid)


def _text_of(code: int, calls: DeviceCalls) -> str:
    text = ctypes.create_string_buffer(_TEXT_BYTES)
    try:
        calls.fill("dcmi_get_device_errorcode_string", code, text, _TEXT_BYTES)
    except DeviceError:
        return ""
    return " ".join(decode(text.value).split())
