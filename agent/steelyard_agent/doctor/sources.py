"""Check `sources`: which were found, which not, why, and what to do."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.devices.scrape.source import VENDOR as EXPORTER
from steelyard_agent.doctor.finding import Detail, Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.permissions import HARDWARE, on_the_bus
from steelyard_agent.doctor.probe import Probe
from steelyard_agent.model import DeviceInfo
from steelyard_proto.errors import DeviceError, LibraryMissing, NotPermitted

# What helps against a vendor's code; the codes of different vendors don't overlap.
_REMEDIES: Final[Mapping[int, str]] = {
    -8002: "let the agent's user join the driver's group: usermod -aG HwHiAiUser steelyard-agent",
    -8005: "another container holds the device: end that one, or run the agent on the host, which is not shut out",
    -8012: "wait for the driver: the device is still booting, or needs a reset (npu-smi set -t reset)",
    -8013: "run the agent on the host, or in a privileged container: the driver doesn't tell this in others",
    -8017: "wait until the firmware's upgrade has ended",
    -8020: "another container uses the device alone: end that one, or run the agent on the host",
    4: "let the agent's user open /dev/nvidia*",
    9: "load the kernel's driver: modprobe nvidia",
    15: "the device fell off the bus: `dmesg | grep -i xid` tells why; it needs a reset or the node a reboot",
    18: "library and kernel driver are of two versions: reboot, or load the driver's module anew",
}
_ANY_REMEDY: Final = (
    "try the vendor's own tool on this node (nvidia-smi, npu-smi info, amd-smi): what fails there fails here"
)


def check_sources(node: Node) -> Sequence[Finding]:
    """One finding for each source, and one for each device that is there and can't be described."""
    findings = [finding for probe in node.probes for finding in _of(probe, node)]
    kinds = {info.kind for probe in node.probes for info in probe.devices}
    if node.probes and not kinds & {"gpu", "npu"}:
        text = "no accelerator is seen: only the host and its CPU will be"
        findings.append(Finding("sources", "warning", text, "accelerators", "see what the lines above say"))
    return findings


def remedy_for(error: BaseException) -> str:
    """What to do about a vendor's error."""
    if isinstance(error, DeviceError) and error.code is not None and error.code in _REMEDIES:
        return _REMEDIES[error.code]
    if isinstance(error, DeviceError) and error.vendor == EXPORTER:
        return f"ask for the page yourself: curl {error.call.removeprefix('GET ')}"
    if isinstance(error, NotPermitted):
        return "run the agent as a user who may"
    return _ANY_REMEDY


def _of(probe: Probe, node: Node) -> Iterator[Finding]:
    if probe.step:
        text = f"hangs in {probe.step}"
        yield Finding("sources", "problem", text, probe.source, f"the driver hangs; {_ANY_REMEDY}")
    if probe.look is None:
        return
    if isinstance(probe.look.error, LibraryMissing):
        yield _missing(probe.source, str(probe.look.error), node)
    elif probe.look.error is not None:
        yield Finding("sources", "problem", str(probe.look.error), probe.source, remedy_for(probe.look.error))
    else:
        yield _found(probe, probe.look.seconds, library_file(probe.source, node.root))
    for error in probe.complaints:
        if error.device and error is not probe.look.error:
            yield Finding("sources", "problem", str(error), error.device or probe.source, remedy_for(error))


def _missing(source: str, text: str, node: Node) -> Finding:
    hardware = next((one for one in HARDWARE if one.source == source), None)
    count = on_the_bus(hardware, node.root) if hardware else 0
    if not count:
        return Finding(
            "sources", "note", "its library or driver isn't here, and nothing of this vendor is on the bus", source
        )
    assert hardware is not None
    remedy = "load the kernel's driver (modprobe amdgpu)"
    if hardware.library:
        remedy = (
            "install the driver's library, or mount it into the container and name its directory in LD_LIBRARY_PATH"
        )
    return Finding("sources", "problem", f"{text}; {count} {hardware.name} are on the bus", source, remedy)


def library_file(source: str, root: Path) -> str:
    """The file of the vendor's library that this process has loaded; empty where the source has none."""
    prefix = next((one.library for one in HARDWARE if one.source == source), None)
    try:
        lines = (root / "proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    # address, rights, offset, device, inode, path
    paths = (line.split(maxsplit=5)[5] for line in lines if line.count("/"))
    return next((path for path in paths if prefix and path.rpartition("/")[2].startswith(prefix)), "")


def _found(probe: Probe, seconds: float, library: str) -> Finding:
    if not probe.devices:
        return Finding("sources", "note", "answers, and has no device", probe.source)
    first = probe.devices[0]
    versions = [
        f"{name} {value}"
        for name, value in (
            ("library", library),
            ("version", first.library_version),
            ("driver", first.driver_version),
        )
        if value
    ]
    # Of all that was asked at the second of two readings, as the agent's own `..._read_ms` is.
    reads_s = [outcome.seconds for outcome in probe.answers.values()]
    read_ms = sum(reads_s) / len(reads_s) * 1e3 if reads_s else None
    times = [f"found in {seconds * 1e3:.0f} ms", *([] if read_ms is None else [f"a read takes {read_ms:.1f} ms"])]
    hanging = [f"calls that hang: {probe.abandoned}"] if probe.abandoned else []
    text = ", ".join([_counted(probe.devices), *versions, *times, *hanging])
    details: dict[str, Detail] = {
        "devices": len(probe.devices),
        "library": library,
        "library_version": first.library_version,
        "driver_version": first.driver_version,
        "discover_ms": round(seconds * 1e3, 3),
        "read_ms": None if read_ms is None else round(read_ms, 3),
        "threads_abandoned": probe.abandoned,
    }
    return Finding("sources", "ok", text, probe.source, details=details)


def _counted(devices: Sequence[DeviceInfo]) -> str:
    counts: dict[str, int] = {}
    for info in devices:
        label = info.name + (f" ({info.chip})" if info.chip and info.chip != info.name else "")
        counts[label] = counts.get(label, 0) + 1
    return ", ".join(f"{count} × {label}" if count > 1 else label for label, count in counts.items())
