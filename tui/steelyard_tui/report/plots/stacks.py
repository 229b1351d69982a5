"""Allocated time, cut into what it was spent on."""

from matplotlib.axes import Axes

from steelyard_tui.report.charts import StackChart
from steelyard_tui.report.plots.canvas import FONT, WIDTH, figure_of, svg_of
from steelyard_tui.report.plots.ink import INKS, marker_of, vendor_ink

_ROW = 34.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 150.0, 24.0, 34.0, 28.0
_LEAST_NAMED = 0.045


def draw_stacks(chart: StackChart, key: str, alt: str) -> str:
    """A bar from 0 to 100 % a chip; the parts are named above."""
    height = _TOP + _BOTTOM + _ROW * len(chart.stacks)
    with figure_of(height) as figure:
        axes = figure.add_axes(
            (_LEFT / WIDTH, _BOTTOM / height, (WIDTH - _LEFT - _RIGHT) / WIDTH, 1 - (_TOP + _BOTTOM) / height)
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(len(chart.stacks) - 0.5, -0.5)
        axes.set_yticks([])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
        axes.tick_params(axis="x", length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        _draw_parts(axes, chart)
        across = axes.get_yaxis_transform()
        span = WIDTH - _LEFT - _RIGHT
        for row, stack in enumerate(chart.stacks):
            vendor = stack.chip.vendor
            axes.plot(-(_LEFT - 8) / span, row, transform=across, marker=marker_of(vendor), markersize=7,
                      color=vendor_ink(vendor), clip_on=False)  # fmt: skip
            axes.text(-(_LEFT - 24) / span, row, stack.chip.label, transform=across, va="center", weight="bold")
        return svg_of(figure, key, alt)


def _draw_parts(axes: Axes, chart: StackChart) -> None:
    lefts = [0.0] * len(chart.stacks)
    for number, title in enumerate(chart.parts):
        widths = [stack.shares[number] for stack in chart.stacks]
        # Steps may reach a little beyond the allocation that was told.
        widths = [min(width, 1.0 - left) for left, width in zip(lefts, widths, strict=True)]
        axes.barh(range(len(widths)), widths, left=lefts, height=0.62, color=INKS[f"part-{number}"],
                  edgecolor=INKS["ground"], linewidth=0.8, label=title)  # fmt: skip
        for row, (left, width) in enumerate(zip(lefts, widths, strict=True)):
            if width >= _LEAST_NAMED:
                text = axes.text(left + width / 2, row, f"{100 * width:.1f}", ha="center", va="center")
                text.set(color=INKS["ground" if number == 0 else "ink"], fontsize=FONT - 1.5)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=len(chart.parts), fontsize=FONT - 1, handlelength=1.0,
        handleheight=1.0, borderpad=0.2, columnspacing=1.4,
    )  # fmt: skip
