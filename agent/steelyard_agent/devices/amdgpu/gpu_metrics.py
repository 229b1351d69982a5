"""The driver's binary table `gpu_metrics`, by the layout of its version; pure.

Source: struct gpu_metrics_v1_1 to gpu_metrics_v1_8 of Linux' kgd_pp_interface.h. The versions are no continuations of
one another, so a table is read only where its version and its size are both known. A version 1.6 of 384 bytes was
withdrawn before any release; its size tells it apart.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Figures = Mapping[str, tuple[int, ...]]

_HEADER: Final = struct.Struct("<HBB")
# What a field is; all ones in its width mean that the chip doesn't give it.
_TYPES: Final[Mapping[str, str]] = {
    "hotspot_c": "H",
    "memory_c": "H",
    "power_w": "H",
    "gfx_percent": "H",
    "umc_percent": "H",
    "energy": "Q",
    "cycles": "I",
    "prochot": "I",
    "ppt": "I",
    "socket_thermal": "I",
    "vr_thermal": "I",
    "hbm_thermal": "I",
    "throttle": "I",
    "throttle_bits": "Q",
    "gfx_acc": "I",
    "replays": "Q",
    "xgmi_read_kb": "8Q",
    "xgmi_write_kb": "8Q",
    "time_10ns": "Q",
    "gfxclk_mhz": "H",
    "gfxclks_mhz": "8H",
    "uclk_mhz": "H",
}
_WIDTHS: Final = {"H": 0xFFFF, "I": 0xFFFFFFFF, "Q": 0xFFFFFFFFFFFFFFFF}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields that we use stand in a table of one version.

    Attributes:
        size: of the whole table, in bytes.
        offsets: of each field, in bytes.
        has_zero_temperatures: a temperature of 0 means that the chip doesn't give it.
    """

    size: int
    offsets: Mapping[str, int]
    has_zero_temperatures: bool = False


_OLD: Final = {
    "hotspot_c": 6, "memory_c": 8, "gfx_percent": 16, "umc_percent": 18, "power_w": 22, "energy": 24,
    "gfxclk_mhz": 54, "uclk_mhz": 58, "gfx_acc": 80,
}  # fmt: skip
_NEW: Final = {"hotspot_c": 4, "memory_c": 6, "power_w": 10, "gfx_percent": 12, "umc_percent": 14}
_V1_6: Final = {
    "energy": 16, "cycles": 32, "prochot": 36, "ppt": 40, "socket_thermal": 44, "vr_thermal": 48, "hbm_thermal": 52,
    "gfx_acc": 68, "replays": 104, "xgmi_read_kb": 128, "xgmi_write_kb": 192, "time_10ns": 256, "gfxclks_mhz": 264,
    "uclk_mhz": 304,
}  # fmt: skip
_V1_7: Final = {
    "energy": 24, "cycles": 40, "prochot": 44, "ppt": 48, "socket_thermal": 52, "vr_thermal": 56, "hbm_thermal": 60,
    "gfx_acc": 76, "replays": 112, "xgmi_read_kb": 136, "xgmi_write_kb": 200, "time_10ns": 288, "gfxclks_mhz": 296,
    "uclk_mhz": 336,
}  # fmt: skip

LAYOUTS: Final[Mapping[tuple[int, int], Layout]] = {
    (1, 1): Layout(96, _OLD),
    (1, 2): Layout(104, _OLD | {"time_10ns": 96}),
    (1, 3): Layout(120, _OLD | {"time_10ns": 96, "throttle_bits": 112}),
    (1, 4): Layout(288, _NEW | {
        "energy": 24, "throttle": 40, "gfx_acc": 56, "replays": 88, "xgmi_read_kb": 104, "xgmi_write_kb": 168,
        "time_10ns": 232, "gfxclks_mhz": 240, "uclk_mhz": 280,
    }),
    (1, 5): Layout(360, _NEW | {
        "energy": 88, "throttle": 104, "gfx_acc": 120, "replays": 152, "xgmi_read_kb": 176, "xgmi_write_kb": 240,
        "time_10ns": 304, "gfxclks_mhz": 312, "uclk_mhz": 352,
    }),
    (1, 6): Layout(1664, _NEW | _V1_6, has_zero_temperatures=True),
    (1, 7): Layout(2208, _NEW | _V1_7, has_zero_temperatures=True),
    (1, 8): Layout(3360, _NEW | _V1_7, has_zero_temperatures=True),
}  # fmt: skip


def version_of(raw: bytes) -> tuple[int, int, int]:
    """Format, content and size that a table says of itself; zeros where it is too short to say."""
    if len(raw) < _HEADER.size:
        return 0, 0, 0
    size, layout_format, content = _HEADER.unpack_from(raw)
    return layout_format, content, size


def decode(raw: bytes) -> Figures | None:
    """The fields of a table that the chip gives; None for a version or size that isn't known.

    Args:
        raw: the whole file.

    Returns:
        Each field's figures, in the table's own units; a field or an element that isn't given is left out.
    """
    layout_format, content, size = version_of(raw)
    layout = LAYOUTS.get((layout_format, content))
    if layout is None or not layout.size == size <= len(raw):
        return None
    found: dict[str, tuple[int, ...]] = {}
    for name, offset in layout.offsets.items():
        kind = _TYPES[name]
        absent = {_WIDTHS[kind[-1]]} | ({0} if layout.has_zero_temperatures and name.endswith("_c") else set())
        values = tuple(value for value in struct.unpack_from(f"<{kind}", raw, offset) if value not in absent)
        if values:
            found[name] = values
    return found
