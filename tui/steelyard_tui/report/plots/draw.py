"""Which chart is drawn how."""

from steelyard_tui.report.charts import LossChart, ShareChart, SpreadChart, StackChart
from steelyard_tui.report.document import Picture
from steelyard_tui.report.plots.losses import draw_losses
from steelyard_tui.report.plots.shares import draw_shares
from steelyard_tui.report.plots.spreads import draw_spreads
from steelyard_tui.report.plots.stacks import draw_stacks
from steelyard_tui.report.plots.times import draw_times


def draw(picture: Picture) -> str:
    """A picture as an SVG element."""
    chart = picture.chart
    if isinstance(chart, ShareChart):
        return draw_shares(chart, picture.key, picture.alt)
    if isinstance(chart, SpreadChart):
        return draw_spreads(chart, picture.key, picture.alt)
    if isinstance(chart, StackChart):
        return draw_stacks(chart, picture.key, picture.alt)
    if isinstance(chart, LossChart):
        return draw_losses(chart, picture.key, picture.alt)
    return draw_times(chart, picture.key, picture.alt)
