"""Check `host`: the machine, and whether its clock is kept."""

import ctypes
from collections.abc import Sequence
from typing import Final

from steelyard_agent.doctor.finding import Detail, Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.node import read_node

# adjtimex(2): the clock is not synchronised.
_TIME_ERROR: Final = 5
# struct timex has 208 bytes on LP64; modes = 0 only reads.
_TIMEX_BYTES: Final = 256


def check_host(node: Node) -> Sequence[Finding]:
    """System, CPUs, memory; the kernel's own word on its clock."""
    facts = read_node(node.config.node, node.config.labels, "measured", root=node.root)
    memory_gb = facts.memory_bytes / 1e9
    system = f"{facts.os or 'Linux'}, kernel {facts.kernel}, {facts.arch}"
    text = f"{facts.name}: {system}, {facts.cpus} CPUs, {memory_gb:.0f} GB"
    details: dict[str, Detail] = {
        "node": facts.name,
        "os": facts.os,
        "kernel": facts.kernel,
        "arch": facts.arch,
        "cpus": facts.cpus,
    }
    return [
        Finding("host", "ok", text, details={**details, "memory_bytes": facts.memory_bytes}),
        clock_finding(adjtimex()),
    ]


def adjtimex() -> int:
    """The state of the kernel's clock, which only a read of it tells; below 0 where that may not be asked."""
    function = getattr(ctypes.CDLL(None), "adjtimex", None)
    return -1 if function is None else int(function(ctypes.create_string_buffer(_TIMEX_BYTES)))


def clock_finding(state: int) -> Finding:
    """What a state of the clock means."""
    if state < 0:
        return Finding("host", "note", "the kernel doesn't tell whether its clock is kept", "clock")
    if state == _TIME_ERROR:
        remedy = "run chrony or systemd-timesyncd on the host: figures of nodes are laid side by side by their clocks"
        return Finding("host", "warning", "is not synchronised, says the kernel", "clock", remedy)
    return Finding("host", "ok", "is synchronised, says the kernel", "clock")
