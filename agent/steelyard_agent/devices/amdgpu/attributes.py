"""Tables that describe themselves: `gpu_metrics` from version 1.9 on, `xcp_metrics` of a partition from 1.1 on; pure.

After the header stands the number of attributes; each is 64 bits that say what it is (unit, type, id, how many) and
then its values, all packed. Ids are only ever added.

Source: enum amdgpu_metrics_attr_id, AMDGPU_METRICS_ENC_ATTR and struct amdgpu_partition_metrics_v1_0 of Linux'
kgd_pp_interface.h, DECLARE_SMU_METRICS_CLASS
of its smu_cmn.h.
"""

import struct
from collections.abc import Mapping
from typing import Final

from steelyard_agent.devices.amdgpu.gpu_metrics import HEADER, LAYOUTS, Field, Layout, field_at, version_of

_COUNT: Final = struct.Struct("<i")
_ENCODING: Final = struct.Struct("<Q")
_BEGIN: Final = HEADER.size + _COUNT.size
# AMDGPU_METRICS_TYPE_*, in order.
_FORMS: Final = "BbHhIiQq"
_PERCENT: Final = 10
# AMDGPU_METRICS_ATTR_ID_*, and the unit in which we take it: MHz, C, W, 10 ns, 0.1 GT/s, KB, percent; 0 for none.
_NAMES: Final[Mapping[int, tuple[str, int]]] = {
    0: ("hotspot_c", 2),
    1: ("memory_c", 2),
    3: ("power_w", 3),
    4: ("gfx_percent", _PERCENT),
    5: ("umc_percent", _PERCENT),
    7: ("energy", 0),
    9: ("cycles", 0),
    10: ("prochot", 0),
    11: ("ppt", 0),
    12: ("socket_thermal", 0),
    13: ("vr_thermal", 0),
    14: ("hbm_thermal", 0),
    16: ("pcie_lanes", 0),
    17: ("pcie_tenths_gt_s", 7),
    20: ("gfx_acc", _PERCENT),
    29: ("xgmi_read_kb", 9),
    30: ("xgmi_write_kb", 9),
    31: ("xgmi_up", 0),
    32: ("time_10ns", 5),
    33: ("gfxclks_mhz", 1),
    37: ("uclk_mhz", 1),
}
# Of a partition's own table, each by its compute dies.
_PARTITION_NAMES: Final[Mapping[int, tuple[str, int]]] = {
    32: ("time_10ns", 5),
    40: ("busy_percent", _PERCENT),
    43: ("busy_acc", _PERCENT),
}
# The first version of that table, with the firmware's time in no field of it.
_PARTITION_SIZE: Final = 488
_PARTITION: Final = Layout(
    HEADER.pack(_PARTITION_SIZE, 1, 0),
    _PARTITION_SIZE,
    {"busy_percent": field_at(48, "8I"), "busy_acc": field_at(168, "8Q")},
)


def layout_of(raw: bytes) -> Layout | None:
    """How a device's table is laid out; None for a version or size that isn't known.

    Args:
        raw: the whole file.
    """
    layout_format, content, _size = version_of(raw)
    layout = LAYOUTS.get((layout_format, content))
    if (layout_format, content) == (1, 9):
        layout = _described(raw, _NAMES)
    return layout if layout is not None and layout.is_of(raw) else None


def partition_layout_of(raw: bytes) -> Layout | None:
    """How a partition's own table is laid out; None as above.

    Args:
        raw: the whole file.
    """
    layout = _described(raw, _PARTITION_NAMES) if version_of(raw)[:2] == (1, 1) else _PARTITION
    return layout if layout is not None and layout.is_of(raw) else None


def _described(raw: bytes, names: Mapping[int, tuple[str, int]]) -> Layout | None:
    """The layout that a table of attributes gives of itself; None where it doesn't hold together."""
    size = version_of(raw)[2]
    if not _BEGIN <= size <= len(raw):
        return None
    fields: dict[str, Field] = {}
    at = _BEGIN
    for _ in range(_COUNT.unpack_from(raw, HEADER.size)[0]):
        if at + _ENCODING.size > size:
            return None
        encoding = _ENCODING.unpack_from(raw, at)[0]
        at += _ENCODING.size
        unit, kind, number, count = (
            encoding >> 24 & 0xFF,
            encoding >> 20 & 0xF,
            encoding >> 10 & 0x3FF,
            encoding & 0x3FF,
        )
        if kind >= len(_FORMS):
            return None
        name, wanted = names.get(number, ("", -1))
        field = field_at(at, f"{count}{_FORMS[kind]}", is_zero_absent=name.endswith("_c"))
        at += field.form.size
        if name and unit == wanted:
            fields[name] = field
    return Layout(raw[:_BEGIN], size, fields) if at == size else None
