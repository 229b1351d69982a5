"""The driver's binary table `gpu_metrics`, by the layout of its version; pure.

Source: struct gpu_metrics_v1_1 to gpu_metrics_v1_8 of Linux' kgd_pp_interface.h. The versions are no continuations of
one another, so a table is read only where its version and its size are both known. A version 1.6 of 384 bytes was
withdrawn before any release; its size tells it apart. From version 1.9 on the table describes itself (attributes.py).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Figures = Mapping[str, tuple[int, ...]]

HEADER: Final = struct.Struct("<HBB")
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
    "xgmi_up": "8H",
    "time_10ns": "Q",
    "gfxclk_mhz": "H",
    "gfxclks_mhz": "8H",
    "uclk_mhz": "H",
    "pcie_lanes": "H",
    "pcie_tenths_gt_s": "H",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field that we use: where it stands, what it is, and the figures that mean "not given"."""

    offset: int
    form: struct.Struct
    absent: frozenset[int]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields that we use stand in a table of one version.

    Attributes:
        head: how such a table begins.
        size: of the whole table, in bytes.
        fields: by our names.
        partitions: what it tells of each compute partition, by its compute dies; empty where it tells of none.
    """

    head: bytes
    size: int
    fields: Mapping[str, Field]
    partitions: tuple[Mapping[str, Field], ...] = ()

    def is_of(self, raw: bytes) -> bool:
        """Whether a table is laid out so."""
        return len(raw) >= self.size and raw.startswith(self.head)


def field_at(offset: int, form: str, *, is_zero_absent: bool = False) -> Field:
    """A field of a table.

    Args:
        offset: in bytes.
        form: how many of which type, as `struct` writes it.
        is_zero_absent: 0 too means that the chip doesn't give it.
    """
    all_ones = (1 << 8 * struct.calcsize(form[-1])) - 1 if form[-1].isupper() else -1
    return Field(offset, struct.Struct(f"<{form}"), frozenset({all_ones, 0} if is_zero_absent else {all_ones}))


def _layout(
    content: int,
    size: int,
    offsets: Mapping[str, int],
    *,
    has_zero_temperatures: bool = False,
    partitions: tuple[Mapping[str, Field], ...] = (),
) -> tuple[tuple[int, int], Layout]:
    fields = {
        name: field_at(offset, _TYPES[name], is_zero_absent=has_zero_temperatures and name.endswith("_c"))
        for name, offset in offsets.items()
    }
    return (1, content), Layout(HEADER.pack(size, 1, content), size, fields, partitions)


def _partitions(begin: int, each: int, accumulated: int) -> tuple[Mapping[str, Field], ...]:
    """The eight structs amdgpu_xcp_metrics: where the first begins, the size of each, gfx_busy_acc in it."""
    return tuple(
        {"busy_percent": field_at(at, "8I"), "busy_acc": field_at(at + accumulated, "8Q")}
        for at in range(begin, begin + 8 * each, each)
    )


_OLD: Final = {
    "hotspot_c": 6, "memory_c": 8, "gfx_percent": 16, "umc_percent": 18, "power_w": 22, "energy": 24,
    "gfxclk_mhz": 54, "uclk_mhz": 58, "throttle": 68, "pcie_lanes": 74, "pcie_tenths_gt_s": 76, "gfx_acc": 80,
}  # fmt: skip
_NEW: Final = {"hotspot_c": 4, "memory_c": 6, "power_w": 10, "gfx_percent": 12, "umc_percent": 14}
_V1_6: Final = {
    "energy": 16, "cycles": 32, "prochot": 36, "ppt": 40, "socket_thermal": 44, "vr_thermal": 48, "hbm_thermal": 52,
    "pcie_lanes": 60, "pcie_tenths_gt_s": 62, "gfx_acc": 68, "replays": 104,
    "xgmi_read_kb": 128, "xgmi_write_kb": 192, "time_10ns": 256, "gfxclks_mhz": 264,
    "uclk_mhz": 304,
}  # fmt: skip
_V1_7: Final = {
    "energy": 24, "cycles": 40, "prochot": 44, "ppt": 48, "socket_thermal": 52, "vr_thermal": 56, "hbm_thermal": 60,
    "pcie_lanes": 68, "pcie_tenths_gt_s": 70, "gfx_acc": 76, "replays": 112,
    "xgmi_read_kb": 136, "xgmi_write_kb": 200, "xgmi_up": 264, "time_10ns": 288,
    "gfxclks_mhz": 296, "uclk_mhz": 336,
}  # fmt: skip

LAYOUTS: Final[Mapping[tuple[int, int], Layout]] = dict((
    _layout(1, 96, _OLD),
    _layout(2, 104, _OLD | {"time_10ns": 96}),
    _layout(3, 120, _OLD | {"time_10ns": 96, "throttle_bits": 112}),
    _layout(4, 288, _NEW | {
        "energy": 24, "throttle": 40, "pcie_lanes": 48, "pcie_tenths_gt_s": 50, "gfx_acc": 56, "replays": 88,
        "xgmi_read_kb": 104, "xgmi_write_kb": 168,
        "time_10ns": 232, "gfxclks_mhz": 240, "uclk_mhz": 280,
    }),
    _layout(5, 360, _NEW | {
        "energy": 88, "throttle": 104, "pcie_lanes": 112, "pcie_tenths_gt_s": 114, "gfx_acc": 120, "replays": 152,
        "xgmi_read_kb": 176, "xgmi_write_kb": 240,
        "time_10ns": 304, "gfxclks_mhz": 312, "uclk_mhz": 352,
    }),
    _layout(6, 1664, _NEW | _V1_6, has_zero_temperatures=True, partitions=_partitions(312, 168, 104)),
    _layout(7, 2208, _NEW | _V1_7, has_zero_temperatures=True, partitions=_partitions(344, 232, 104)),
    _layout(8, 3872, _NEW | _V1_7, has_zero_temperatures=True, partitions=_partitions(344, 440, 120)),
))  # fmt: skip


def version_of(raw: bytes) -> tuple[int, int, int]:
    """Format, content and size that a table says of itself; zeros where it is too short to say."""
    if len(raw) < HEADER.size:
        return 0, 0, 0
    size, layout_format, content = HEADER.unpack_from(raw)
    return layout_format, content, size


def figures_of(raw: bytes, fields: Mapping[str, Field]) -> Figures:
    """The fields of a table that the chip gives.

    Args:
        raw: the whole file, which is of the layout that the fields are of.
        fields: those of the layout.

    Returns:
        Each field's figures, in the table's own units; a field or an element that isn't given is left out.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, field in fields.items():
        values = field.form.unpack_from(raw, field.offset)
        if not field.absent.isdisjoint(values):
            values = tuple(value for value in values if value not in field.absent)
        if values:
            found[name] = values
    return found
