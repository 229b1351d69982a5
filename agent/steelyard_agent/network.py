"""What connects a node to others, as far as the kernel knows; a job on several nodes depends on it."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LABEL: Final = "network"
_RATE: Final = re.compile(r"([\d.]+) Gb/sec")


def network_of(root: Path = Path("/")) -> str:
    """For example `InfiniBand 8 x 400 Gb/s`, `RoCE 2 x 200 Gb/s`, `Ethernet 1 x 25 Gb/s`; empty where it isn't known.

    The ports of the fastest kind that are up. NPUs have network ports of their own, which the kernel doesn't know.

    Source: /dev/davinci*, /sys/class/infiniband, /sys/class/net.
    """
    if any((root / "dev").glob("davinci[0-9]*")):
        return "ports of the NPUs"
    for ports in (_rdma(root / "sys/class/infiniband"), _ethernet(root / "sys/class/net")):
        found = list(ports)
        if found:
            gb_s, kind = max(found)
            return f"{kind} {found.count((gb_s, kind))} x {gb_s:g} Gb/s"
    return ""


def _rdma(folder: Path) -> Iterable[tuple[float, str]]:
    for port in folder.glob("*/ports/*"):
        rate = _RATE.match(_text(port / "rate"))
        if rate is not None and "ACTIVE" in _text(port / "state"):
            yield float(rate[1]), "RoCE" if _text(port / "link_layer") == "Ethernet" else "InfiniBand"


def _ethernet(folder: Path) -> Iterable[tuple[float, str]]:
    for interface in folder.glob("*"):
        # Bridges and tunnels have no device behind them.
        if (interface / "device").exists() and _text(interface / "operstate") == "up":
            speed = _text(interface / "speed")
            if speed.isdigit() and int(speed) > 0:
                yield int(speed) / 1000, "Ethernet"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
