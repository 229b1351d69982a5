"""Loss over tokens, a panel a model and task, each curve named at its end."""

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from steelyard_tui.report.charts import Chip, LossChart, LossPanel
from steelyard_tui.report.plots.canvas import figure_of, svg_of
from steelyard_tui.report.plots.ink import DASHES, marker_of, vendor_ink
from steelyard_tui.report.plots.panels import boxes, height_of, put_names, put_title


def draw_losses(chart: LossChart, key: str, alt: str) -> str:
    """Two panels a row; the axis of the loss begins where the curves do, for what counts is how far apart they are."""
    with figure_of(height_of(len(chart.panels))) as figure:
        for axes, panel in zip(boxes(figure, len(chart.panels)), chart.panels, strict=True):
            _draw_panel(axes, panel)
        return svg_of(figure, key, alt)


def _draw_panel(axes: Axes, panel: LossPanel) -> None:
    put_title(axes, "loss over tokens", panel.title)
    losses = [loss for curve in panel.curves for loss in curve.losses]
    low, high = min(losses), max(losses)
    room = 0.06 * (high - low or abs(high) or 1.0)
    axes.set_ylim(low - room, high + room)
    axes.set_xlim(0, max(curve.tokens[-1] for curve in panel.curves))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    same_vendor: dict[str, int] = {}
    ends: list[tuple[float, Chip]] = []
    for curve in panel.curves:
        number = same_vendor.get(curve.chip.vendor, 0)
        same_vendor[curve.chip.vendor] = number + 1
        color = vendor_ink(curve.chip.vendor)
        axes.plot(curve.tokens, curve.losses, color=color, linewidth=1.6, linestyle=DASHES[number % len(DASHES)])
        axes.plot(
            curve.tokens[-1], curve.losses[-1], marker=marker_of(curve.chip.vendor), markersize=6, color=color,
            clip_on=False, zorder=3,
        )  # fmt: skip
        ends.append(((curve.losses[-1] - low + room) / (high - low + 2 * room), curve.chip))
    put_names(axes, ends)
