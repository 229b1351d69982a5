"""The table of nodes."""

from typing import Final

from steelyard_tui.present.cells import chips_cell, figure_column, ink, reporting_cell, state_cell, text_cell
from steelyard_tui.present.columns import Column, Drawing, Row
from steelyard_tui.present.figures import figure, number
from steelyard_tui.present.line import Line

# Beyond this, points of two nodes can't be laid over one another.
_OFFSET_WARNING_MS: Final = 500


def _offset(row: Row, drawing: Drawing) -> Line:
    offset = number(row.get("clock_offset_ms"))
    if offset is not None and abs(offset) > _OFFSET_WARNING_MS:
        return ((f"{drawing.glyphs.warn}{offset:.0f}", "warn"),)
    return (figure(offset, "ms", drawing.glyphs, tone=ink(row)),)


COLUMNS: Final = (
    Column("node", ("node",), 14, text_cell("node"), 0, "left", grow=14),
    Column("chips", ("chips", "vendors", "origin"), 15, chips_cell, 0, "left", grow=10),
    Column("devices", ("devices", "reporting"), 8, reporting_cell),
    Column("jobs", ("jobs",), 9, text_cell("jobs"), 4, "left", grow=14),
    figure_column("busy%", "busy", "ratio", 6, 1),
    figure_column("core%", "core_active", "ratio", 6),
    figure_column("power W", "power_w", "W", 8, 1),
    figure_column("cpu%", "cpu_busy", "ratio", 5),
    figure_column("load", "load_1m", "count", 6, 3),
    figure_column("mem used B", "mem_used_bytes", "bytes", 11, 5),
    figure_column("mem B", "mem_total_bytes", "bytes", 8, 6),
    Column("clock ms", ("clock_offset_ms",), 9, _offset, 7),
    Column("arch", ("arch",), 8, text_cell("arch"), 8, "left"),
    figure_column("cpus", "cpus", "count", 5, 9),
    Column("state", ("state", "age_s"), 14, state_cell, 0, "left"),
)

ALWAYS: Final = ("node", "vendors", "chips", "origin", "state", "age_s")
KEY: Final = "node"
