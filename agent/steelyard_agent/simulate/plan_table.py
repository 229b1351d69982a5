"""A table of a fleet's file, and how to complain about it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from steelyard_agent.devices.simulator.workload import Workload
from steelyard_proto.errors import ConfigError

WORKLOAD: Final = tuple(f.name for f in fields(Workload) if f.name != "slowdowns")
TRAINING: Final = ("tokens_per_step", "parameters", "sequence_length", "layers", "heads", "hidden", "tensor_parallel")
_SHARES: Final = ("compute_share", "tensor", "vector", "hbm_bw", "hbm_fill")
_ABOVE_ZERO: Final = ("step_s", "pace", "tokens_per_device", "tokens_per_s_device")
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(("prefix", "chip", "name", "id", "scheduler", "user", "node", "kind", "workload"), str),
    **dict.fromkeys(
        ("count", "devices", "device", "code", "steps_per_checkpoint", "tokens_per_device", *TRAINING), int
    ),
    "nodes": list,
    "on": dict,
}
_HIGHEST: Final = {"count": 10_000, "devices": 64, "device": 63, **dict.fromkeys(_SHARES, 1)}
# Before the simulation's start lies its history.
_ANY_TIME: Final = ("from_s", "to_s")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file.

    Attributes:
        path: of the file.
        label: what errors call the table.
        entry: what stands in it.
    """

    path: str
    label: str
    entry: Mapping[str, Any]

    def error(self, message: str) -> ConfigError:
        """An error that names the file and the table."""
        return ConfigError(message, path=self.path, key=self.label)

    def check(self, needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
        """Looks at all keys and values.

        Raises:
            ConfigError: one is missing, unknown, of the wrong type or out of its range.
        """
        for key in needed:
            if key not in self.entry:
                raise self.error(f"{key} is missing")
        for key, value in self.entry.items():
            if key not in needed + optional:
                raise self.error(f"unknown key {key!r}; known are {', '.join(needed + optional)}")
            wanted = _TYPES.get(key, (int, float))
            if isinstance(value, bool) or not isinstance(value, wanted):
                raise self.error(f"{key} is {value!r}, which is of the wrong type")
            if isinstance(value, int | float) and key not in _ANY_TIME:
                self._check_range(key, value)

    def _check_range(self, key: str, value: float) -> None:
        if key in _SHARES and not 0 <= value <= 1:
            raise self.error(f"{key} is {value}; it is a share from 0 to 1")
        lowest = 1 if key in ("count", "devices", "steps_per_checkpoint") else 0
        if not lowest <= value <= _HIGHEST.get(key, float("inf")):
            raise self.error(f"{key} is {value}; give {lowest} to {_HIGHEST.get(key, 'any number above')}")
        if key in _ABOVE_ZERO and value == 0:
            raise self.error(f"{key} is 0; give a number above")
