"""Step times about their median, a row a chip and workload."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from steelyard_tui.report.charts import Spread, SpreadChart
from steelyard_tui.report.plots.canvas import FONT, WIDTH, figure_of, shortened, svg_of
from steelyard_tui.report.plots.ink import INKS, marker_of, vendor_ink

_ROW = 46.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 330.0, 70.0, 8.0, 34.0
_LOW, _HIGH = 0.75, 2.5
_TICKS = (0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 2.5)
# Bins of 1 % are too fine for a row of this height.
_BINS = 70


def draw_spreads(chart: SpreadChart, key: str, alt: str) -> str:
    """A small histogram a row, all on one axis of multiples of the median."""
    height = _TOP + _BOTTOM + _ROW * len(chart.spreads)
    with figure_of(height) as figure:
        axes = figure.add_axes(
            (_LEFT / WIDTH, _BOTTOM / height, (WIDTH - _LEFT - _RIGHT) / WIDTH, 1 - (_TOP + _BOTTOM) / height)
        )
        axes.set_xscale("log")
        axes.set_xlim(_LOW, _HIGH)
        axes.set_ylim(len(chart.spreads), 0)
        axes.set_yticks([])
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.xaxis.set_major_locator(FixedLocator(_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        axes.tick_params(axis="x", length=0, pad=6)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel("step time as a multiple of the row's median", fontsize=FONT - 1.5)
        for row, spread in enumerate(chart.spreads):
            _draw_spread(axes, row, spread)
        return svg_of(figure, key, alt)


def _draw_spread(axes: Axes, row: int, spread: Spread) -> None:
    vendor = spread.chip.vendor
    edges = np.geomspace(_LOW, _HIGH, _BINS + 1)
    # What lies beyond an end is counted there: no step is left out.
    middles = np.clip(np.asarray(spread.times, dtype=float), _LOW * 1.001, _HIGH * 0.999)
    counts, _ = np.histogram(middles, edges, weights=np.asarray(spread.counts, dtype=float))
    foot = row + 0.86
    tops = foot - 0.72 * counts / max(counts.max(), 1.0)
    axes.fill_between(np.repeat(edges, 2)[1:-1], foot, np.repeat(tops, 2), color=vendor_ink(vendor), linewidth=0)
    axes.plot([_LOW, _HIGH], [foot, foot], color=INKS["rule"], linewidth=0.8)
    tail = min(spread.p99, _HIGH)
    axes.plot([tail, tail], [foot - 0.34, foot + 0.04], color=INKS["ink"], linewidth=1.6)
    across = axes.get_yaxis_transform()
    span = WIDTH - _LEFT - _RIGHT
    axes.plot(-(_LEFT - 8) / span, row + 0.55, transform=across, marker=marker_of(vendor), markersize=7,
              color=vendor_ink(vendor), clip_on=False)  # fmt: skip
    axes.text(-(_LEFT - 24) / span, row + 0.4, spread.chip.label, transform=across, va="center", weight="bold")
    axes.text(-(_LEFT - 24) / span, row + 0.73, shortened(spread.label, 48), transform=across, va="center",
              color=INKS["quiet"], fontsize=FONT - 2)  # fmt: skip
    axes.text(1 + 12 / span, row + 0.6, f"p99 {spread.p99:.2f}", transform=across, va="center", fontsize=FONT - 1)
