"""What a CPU calls itself, and where its temperature stands."""

from pathlib import Path
from typing import Final

# (implementer, part) of /proc/cpuinfo on aarch64, which gives no name, to what people call the core.
_ARM_CORES: Final = {
    (0x41, 0xD0C): "Arm Neoverse-N1",
    (0x41, 0xD40): "Arm Neoverse-V1",
    (0x41, 0xD49): "Arm Neoverse-N2",
    (0x41, 0xD4F): "Arm Neoverse-V2",
    (0x48, 0xD01): "HiSilicon Kunpeng-920",
    (0x48, 0xD02): "HiSilicon Kunpeng-920B",
    (0x4E, 0x004): "NVIDIA Carmel",
    (0x70, 0x663): "Phytium FT-2000+",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1a",
}

_PACKAGE_SENSORS: Final = {
    "coretemp": ("Package id",),
    "k10temp": ("Tdie", "Tctl"),
    "zenpower": ("Tdie", "Tctl"),
    "cpu_thermal": ("",),
}
_PACKAGE_ZONES: Final = ("x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal")


def cpu_name(cpuinfo: str) -> str:
    """The name of a CPU from the text of /proc/cpuinfo, on x86_64 and aarch64; empty where there is none."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    for key in ("model name", "Model", "Hardware"):
        if fields.get(key):
            return fields[key]
    implementer, part = fields.get("CPU implementer", ""), fields.get("CPU part", "")
    if not implementer or not part:
        return ""
    return _ARM_CORES.get((int(implementer, 16), int(part, 16)), f"aarch64 implementer {implementer} part {part}")


def temperature_files(sys: Path) -> list[Path]:
    """The files with the package's temperature in thousandths of a degree, one per package.

    Args:
        sys: root of sysfs.
    """
    found: list[Path] = []
    for monitor in sorted(sys.glob("class/hwmon/hwmon*")):
        found.extend(_sensors(monitor, _PACKAGE_SENSORS.get(_text(monitor / "name"), ())))
    if found:
        return found
    zones = sorted(sys.glob("class/thermal/thermal_zone*"))
    return [zone / "temp" for zone in zones if _text(zone / "type") in _PACKAGE_ZONES]


def _sensors(monitor: Path, labels: tuple[str, ...]) -> list[Path]:
    # The labels stand in the order of preference: the first that the chip has is taken.
    for label in labels:
        inputs = sorted(monitor.glob("temp*_input"))
        of_label = [path for path in inputs if _text(Path(str(path)[: -len("input")] + "label")).startswith(label)]
        if of_label:
            return of_label
    return []


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
