"""Lines over time, a panel a figure, each line named at its end."""

from datetime import UTC
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from steelyard_tui.report.charts import Chip, Panel, TimeChart, Track
from steelyard_tui.report.plots.canvas import figure_of, svg_of
from steelyard_tui.report.plots.ink import DASHES, marker_of, vendor_ink
from steelyard_tui.report.plots.panels import boxes, height_of, put_names, put_title

# matplotlib counts time in days of Unix time.
_DAY_S = 86_400.0
# Without types of their own.
_LOCATOR: Final[Any] = AutoDateLocator
_FORMATTER: Final[Any] = ConciseDateFormatter


def draw_times(chart: TimeChart, key: str, alt: str) -> str:
    """Two panels a row."""
    with figure_of(height_of(len(chart.panels))) as figure:
        for axes, panel in zip(boxes(figure, len(chart.panels)), chart.panels, strict=True):
            _draw_panel(axes, panel, chart)
        return svg_of(figure, key, alt)


def _draw_panel(axes: Axes, panel: Panel, chart: TimeChart) -> None:
    put_title(axes, panel.title, panel.of)
    axes.set_xlim(chart.from_s / _DAY_S, chart.to_s / _DAY_S)
    most = max((value for track in panel.tracks for value in track.values if value is not None), default=1.0)
    top = 1.08 * most or 1.0
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    locator = _LOCATOR(tz=UTC, minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_FORMATTER(locator, tz=UTC, show_offset=False))
    same_vendor: dict[str, int] = {}
    ends: list[tuple[float, Chip]] = []
    for track in panel.tracks:
        number = same_vendor.get(track.chip.vendor, 0)
        same_vendor[track.chip.vendor] = number + 1
        ends.append((_draw_track(axes, track, chart.step_s, number) / top, track.chip))
    put_names(axes, ends)


def _draw_track(axes: Axes, track: Track, step_s: float, number: int) -> float:
    """Draws a line; returns its last figure."""
    xs: list[float] = []
    ys: list[float] = []
    before_s = track.at_s[0]
    for at_s, value in zip(track.at_s, track.values, strict=True):
        if at_s - before_s > 1.5 * step_s:
            xs.append((before_s + step_s) / _DAY_S)
            ys.append(float("nan"))
        # A bucket's figure stands at its middle.
        xs.append((at_s + step_s / 2) / _DAY_S)
        ys.append(float("nan") if value is None else value)
        before_s = at_s
    color = vendor_ink(track.chip.vendor)
    dashes = (0, (1, 1.5)) if track.is_doubtful else DASHES[number % len(DASHES)]
    axes.plot(xs, ys, color=color, linewidth=1.1 if track.is_doubtful else 1.8, linestyle=dashes)
    last = next(index for index in range(len(ys) - 1, -1, -1) if ys[index] == ys[index])
    axes.plot(
        xs[last], ys[last], marker=marker_of(track.chip.vendor), markersize=6, color=color, clip_on=False, zorder=3
    )
    return ys[last]
