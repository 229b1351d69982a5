"""Reads the faults of a fleet: tables of its file, and the flag --fault."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, get_args

from steelyard_agent.devices.simulator.faults import DEFAULT_XID, FAULT_KINDS, MOMENTS, Fault, FaultKind
from steelyard_agent.simulate.plan import NodePlan
from steelyard_agent.simulate.plan_table import Table
from steelyard_proto.chips import load_chips

FLAG: Final = "--fault"
_FORM: Final = "throttle,node=h100-1,device=2,from_s=300"
_TEXTS: Final = ("kind", "node")
_WHOLE: Final = ("device", "code")


def read_fault(table: Table, nodes: Mapping[str, NodePlan]) -> Fault:
    """The fault of a table.

    Args:
        table: [[fault]], or what a flag says.
        nodes: by name.

    Raises:
        ConfigError: something makes no sense.
    """
    table.check(("node", "kind"), ("device", "from_s", "to_s", "code"))
    entry = table.entry
    node = nodes.get(entry["node"])
    if node is None:
        raise table.error(f"no node is called {entry['node']!r}; there are {_some(nodes)}")
    if entry["kind"] not in get_args(FaultKind):
        raise table.error(f"kind is {entry['kind']!r}; give one of {', '.join(FAULT_KINDS)}")
    kind = cast(FaultKind, entry["kind"])
    device = entry.get("device")
    if device is not None and device >= node.devices:
        raise table.error(f"device is {device}; {node.name} has 0 to {node.devices - 1}")
    if "to_s" in entry and kind in MOMENTS:
        raise table.error(f"{kind} happens at a moment: leave to_s out")
    if "code" in entry and kind != "xid":
        raise table.error(f"{kind} has no code; an xid has")
    vendor = load_chips().by_name[node.chip].vendor
    if kind == "xid" and vendor != "nvidia":
        raise table.error(f"{node.chip} tells no XID, which is NVIDIA's; ecc is told by all")
    from_s, to_s = float(entry.get("from_s", 0.0)), float(entry.get("to_s", float("inf")))
    if not math.isfinite(from_s):
        raise table.error(f"from_s is {from_s:g}; give seconds from the start of the simulation")
    if not to_s > from_s:
        raise table.error(f"to_s is {to_s:g}, not after from_s")
    return Fault(kind, device, from_s, to_s, entry.get("code", DEFAULT_XID) if kind == "xid" else 0)


def read_flags(texts: Iterable[str], nodes: Mapping[str, NodePlan]) -> dict[str, list[Fault]]:
    """The faults of --fault, by node.

    Args:
        texts: each the kind and then the keys of a [[fault]], with commas between them.
        nodes: by name.

    Raises:
        ConfigError: something makes no sense.
    """
    faults: dict[str, list[Fault]] = {}
    for text in texts:
        table = Table("", f"{FLAG} {text}", {})
        kind, *pairs = text.split(",")
        entry: dict[str, Any] = {"kind": kind.strip()}
        for pair in pairs:
            key, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or key in entry:
                raise table.error(f"{pair!r} is no key=value, or stands twice; give it as {_FORM}")
            entry[key] = _value(table, key, value)
        fault = read_fault(Table("", table.label, entry), nodes)
        faults.setdefault(entry["node"], []).append(fault)
    return faults


def _value(table: Table, key: str, value: str) -> str | int | float:
    if key in _TEXTS:
        return value
    try:
        return int(value) if key in _WHOLE else float(value)
    except ValueError as error:
        raise table.error(f"{key} is {value!r}; give a {'whole ' if key in _WHOLE else ''}number") from error


def _some(nodes: Mapping[str, NodePlan]) -> str:
    first = sorted(nodes)[:5]
    return ", ".join(first) + (f" and {len(nodes) - len(first)} more" if len(nodes) > len(first) else "")
