"""The table of devices."""

from typing import Final

from steelyard_tui.present.cells import (
    bar_column,
    chip_cell,
    figure_cell,
    figure_column,
    ink,
    state_cell,
    text_cell,
)
from steelyard_tui.present.columns import Column, Drawing, Row
from steelyard_tui.present.figures import text_of
from steelyard_tui.present.line import Line


def _device(row: Row, drawing: Drawing) -> Line:
    return ((f"{text_of(row.get('node'))}/{text_of(row.get('device_index'))}", ink(row)),)


COLUMNS: Final = (
    Column("chip", ("chip", "vendor", "origin"), 12, chip_cell, 0, "left"),
    Column("device", ("node", "device_index"), 12, _device, 0, "left", grow=14),
    Column("job", ("job",), 9, text_cell("job"), 3, "left", grow=12),
    figure_column("busy%", "busy", "ratio", 6),
    figure_column("core%", "core_active", "ratio", 6),
    figure_column("tensor%", "tensor_active", "ratio", 8, 1),
    figure_column("hbm bw%", "hbm_bw_active", "ratio", 8, 4),
    figure_column("power W", "power_w", "W", 8, 1),
    figure_column("temp C", "chip_temp_c", "C", 7, 5),
    figure_column("clock MHz", "core_clock_mhz", "MHz", 10, 6),
    Column("memory B", ("hbm_used_bytes",), 9, figure_cell("hbm_used_bytes", "bytes"), 7),
    figure_column("mem%", "hbm_used_ratio", "ratio", 6, 2),
    bar_column("core active 0 to 100%", "core_active", 22, 8, 0),
    Column("state", ("state", "age_s"), 14, state_cell, 0, "left"),
)

ALWAYS: Final = ("device_id", "vendor", "chip", "origin", "state", "age_s")
KEY: Final = "device_id"
