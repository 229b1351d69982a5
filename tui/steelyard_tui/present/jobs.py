"""The table of jobs."""

from typing import Final

from steelyard_tui.present.cells import chips_cell, figure_column, ink, text_cell
from steelyard_tui.present.columns import Column, Drawing, Row
from steelyard_tui.present.figures import since, text_of
from steelyard_tui.present.line import Line


def _running(row: Row, drawing: Drawing) -> Line:
    age = since(row.get("since"), drawing.now_ms)
    return ((age, ink(row)),) if age else ((drawing.glyphs.absent, "faint"),)


def _state(row: Row, drawing: Drawing) -> Line:
    state = text_of(row.get("state"))
    if state in ("finished", "lost"):
        ago = since(row.get("last_seen"), drawing.now_ms)
        return ((f"{state} {ago}", "quiet"),)
    return ((state or drawing.glyphs.absent, _STATE_TONES.get(state, "quiet")),)


_STATE_TONES: Final = {"running": "good", "hung": "bad", "idle but held": "warn"}


COLUMNS: Final = (
    Column("job", ("job",), 14, text_cell("job"), 0, "left", grow=6),
    Column("name", ("name",), 14, text_cell("name"), 5, "left", grow=6),
    Column("user", ("user",), 8, text_cell("user"), 6, "left"),
    Column("by", ("scheduler",), 10, text_cell("scheduler"), 8, "left"),
    Column("chips", ("chips", "vendors", "origin"), 16, chips_cell, 0, "left", grow=24),
    figure_column("nodes", "nodes", "count", 6, 4),
    figure_column("devices", "devices", "count", 8),
    figure_column("world", "world_size", "count", 6, 7),
    figure_column("busy%", "busy", "ratio", 6, 2),
    figure_column("core%", "core_active", "ratio", 6),
    figure_column("tensor%", "tensor_active", "ratio", 8, 3),
    figure_column("hbm bw%", "hbm_bw_active", "ratio", 8, 6),
    figure_column("power W", "power_w", "W", 9, 2),
    Column("running", ("since",), 9, _running, 1),
    Column("state", ("state", "last_seen"), 16, _state, 1, "left", grow=1),
)

ALWAYS: Final = ("job", "vendors", "chips", "origin", "state", "last_seen")
KEY: Final = "job"
