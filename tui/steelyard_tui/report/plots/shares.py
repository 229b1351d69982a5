"""Shares as bars with their intervals."""

from matplotlib.axes import Axes

from steelyard_tui.report.charts import Mark, ShareChart
from steelyard_tui.report.plots.canvas import FONT, WIDTH, figure_of, svg_of
from steelyard_tui.report.plots.ink import INKS, marker_of, vendor_ink

_ROW = 50.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 150.0, 300.0, 14.0, 30.0
_HALF = 0.17


def draw_shares(chart: ShareChart, key: str, alt: str) -> str:
    """Solid up to the lower end, pale over the interval, a tick at the estimate; dots below for workloads."""
    height = _TOP + _BOTTOM + _ROW * len(chart.marks)
    most = max(
        max(mark.ratio or 0.0, min(mark.hi or 0.0, 2 * (mark.ratio or 0.0)), *mark.dots, 0.0) for mark in chart.marks
    )
    scale = max(1.1, 1.04 * most)
    with figure_of(height) as figure:
        axes = figure.add_axes(
            (_LEFT / WIDTH, _BOTTOM / height, (WIDTH - _LEFT - _RIGHT) / WIDTH, 1 - (_TOP + _BOTTOM) / height)
        )
        axes.set_xlim(0, scale)
        axes.set_ylim(len(chart.marks) - 0.5, -0.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="x", length=0, pad=6)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.axvline(1.0, color=INKS["ink"], linewidth=1.0, zorder=1.5)
        for row, mark in enumerate(chart.marks):
            _draw_mark(axes, row, mark, scale)
        return svg_of(figure, key, alt)


def _draw_mark(axes: Axes, row: int, mark: Mark, scale: float) -> None:
    vendor, ratio = mark.chip.vendor, mark.ratio or 0.0
    low, high = (mark.lo, min(mark.hi or ratio, scale)) if mark.lo is not None else (ratio, ratio)
    y = row - (0.08 if mark.dots else 0.0)
    axes.barh(y, low, height=2 * _HALF, color=vendor_ink(vendor), linewidth=0)
    axes.barh(y, high - low, left=low, height=2 * _HALF, color=vendor_ink(vendor, pale=True), linewidth=0)
    axes.plot(
        [ratio, ratio], [y - _HALF - 0.07, y + _HALF + 0.07], color=INKS["ink"], linewidth=2.2, solid_capstyle="butt"
    )
    dots_y = [row + 0.24] * len(mark.dots)
    axes.plot(
        mark.dots, dots_y, linestyle="", marker=marker_of(vendor), markersize=6,
        markerfacecolor=INKS["ground"], markeredgecolor=vendor_ink(vendor), markeredgewidth=1.4,
    )  # fmt: skip
    across = axes.get_yaxis_transform()
    span = WIDTH - _LEFT - _RIGHT
    axes.plot(-(_LEFT - 8) / span, row, transform=across, marker=marker_of(vendor), markersize=8,
              color=vendor_ink(vendor), clip_on=False)  # fmt: skip
    axes.text(-(_LEFT - 24) / span, row, mark.chip.label, transform=across, va="center", weight="bold")
    axes.text(1 + 16 / span, row - 0.17, mark.text, transform=across, va="center", weight="bold", fontsize=FONT + 1)
    axes.text(
        1 + 16 / span, row + 0.19, mark.note, transform=across, va="center", color=INKS["quiet"], fontsize=FONT - 1.5
    )
