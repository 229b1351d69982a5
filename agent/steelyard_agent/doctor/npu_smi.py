"""Check `npu_smi`: whether `npu-smi info` says of each NPU what the agent reads of it by DCMI."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.probe import Probe
from steelyard_agent.model import DeviceInfo
from steelyard_proto.metrics import catalogue
from steelyard_proto.units import format_value

# Where the driver puts it, beside the PATH, which a service's often isn't on.
_PLACES: Final = "/usr/local/bin:/usr/local/sbin:/usr/local/Ascend/driver/tools"
_DEADLINE_S: Final = 20.0
_MIB: Final = 1 << 20
_BUS: Final = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_USED: Final = re.compile(r"(\d+)\s*/\s*(\d+)\s*$")
# How far two readings of a second or two apart may differ: at least so much, or this share of the larger one.
_TOLERANCES: Final[Mapping[str, tuple[float, float]]] = {
    "power_w": (60.0, 0.4),
    "chip_temp_c": (8.0, 0.0),
    "hbm_used_bytes": (2048.0 * _MIB, 0.1),
    "hbm_total_bytes": (1.0 * _MIB, 0.0),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one NPU, by metric; a dash in it is left out."""

    bus: str
    values: Mapping[str, float]


def check_npu_smi(node: Node) -> Sequence[Finding]:
    """Nothing where no NPU is seen; else one finding, and one for each figure that differs."""
    probes = [probe for probe in node.probes if any(info.kind == "npu" for info in probe.devices)]
    if not probes:
        return []
    program = shutil.which("npu-smi", path=f"{node.environ.get('PATH', '')}:{_PLACES}")
    if program is None:
        return [Finding("npu_smi", "note", "isn't on this node, so there is nothing to compare with")]
    try:
        done = subprocess.run([program, "info"], capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [Finding("npu_smi", "warning", f"{program} info: {error}", remedy="see what it says by hand")]
    rows = {row.bus: row for row in parse(done.stdout)}
    devices = [(probe, info) for probe in probes for info in probe.devices if info.pci_address.lower() in rows]
    if not devices:
        text = f"{program} info (exit code {done.returncode}) names no NPU that the agent sees"
        return [Finding("npu_smi", "note", text, remedy="see what it says by hand")]
    differences = [one for probe, info in devices for one in _differences(probe, info, rows[info.pci_address.lower()])]
    unseen = sorted(rows.keys() - {info.pci_address.lower() for _, info in devices})
    if unseen:
        remedy = "see what the check `sources` says of them"
        text = f"lists NPUs that the agent doesn't see: {', '.join(unseen)}"
        differences.append(Finding("npu_smi", "warning", text, "devices", remedy))
    agreed = f"agrees on {len(devices)} NPUs: power, temperature, memory"
    return differences or [Finding("npu_smi", "ok", agreed, details={"devices": len(devices)})]


def parse(text: str) -> Iterator[Row]:
    """The NPUs of the table, which has two lines for each: one with power and temperature, one with bus and memory."""
    upper: dict[str, float] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3 or not cells[0][:1].isdigit():
            continue
        bus, used = _BUS.search(line), _USED.search(cells[2])
        if bus is None:
            words = cells[2].split()
            names = zip(("power_w", "chip_temp_c"), words, strict=False)
            upper = {name: float(word) for name, word in names if _NUMBER.fullmatch(word)}
        else:
            memory = (float(used[1]) * _MIB, float(used[2]) * _MIB) if used else ()
            yield Row(bus[0].lower(), upper | dict(zip(("hbm_used_bytes", "hbm_total_bytes"), memory, strict=False)))


def _differences(probe: Probe, info: DeviceInfo, row: Row) -> Iterator[Finding]:
    ours = _values(probe, info)
    for name, (least, share) in _TOLERANCES.items():
        if name not in ours or name not in row.values:
            continue
        mine, theirs = ours[name], row.values[name]
        if abs(mine - theirs) > max(least, share * max(mine, theirs)):
            unit = catalogue().by_name[name].unit
            text = f"{format_value(mine, unit)} by DCMI, {format_value(theirs, unit)} by npu-smi"
            remedy = "look again; where it stays so, report both outputs: one of the two reads this driver wrongly"
            yield Finding("npu_smi", "warning", text, f"{row.bus} {name}", remedy, {"dcmi": mine, "npu_smi": theirs})


def _values(probe: Probe, info: DeviceInfo) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric_class, ids in info.metrics.items():
        outcome = probe.answers.get((info.uid, metric_class))
        if outcome is None or not isinstance(outcome.value, Sequence):
            continue
        pairs = zip(ids, outcome.value, strict=False)
        found |= {catalogue().by_id[number].name: value for number, value in pairs if isinstance(value, int | float)}
    return found
