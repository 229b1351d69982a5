"""Lines over time, a panel a figure, each line named at its end."""

from datetime import UTC
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from steelyard_tui.report.charts import Panel, TimeChart, Track
from steelyard_tui.report.plots.canvas import FONT, WIDTH, figure_of, shortened, svg_of
from steelyard_tui.report.plots.ink import DASHES, INKS, marker_of, vendor_ink

_PANEL = 224.0
_TOP, _BOTTOM = 42.0, 30.0
_LEFT, _BETWEEN, _NAMES = 46.0, 40.0, 92.0
_NAME_APART = 0.085
# matplotlib counts time in days of Unix time.
_DAY_S = 86_400.0
# Without types of their own.
_LOCATOR: Final[Any] = AutoDateLocator
_FORMATTER: Final[Any] = ConciseDateFormatter


def draw_times(chart: TimeChart, key: str, alt: str) -> str:
    """Two panels a row."""
    rows = -(-len(chart.panels) // 2)
    height = _PANEL * rows
    width = (WIDTH - _BETWEEN) / 2
    with figure_of(height) as figure:
        for number, panel in enumerate(chart.panels):
            row, column = divmod(number, 2)
            left = column * (width + _BETWEEN) + _LEFT
            bottom = height - (row + 1) * _PANEL + _BOTTOM
            box = (left / WIDTH, bottom / height, (width - _LEFT - _NAMES) / WIDTH, (_PANEL - _TOP - _BOTTOM) / height)
            _draw_panel(figure.add_axes(box), panel, chart)
        return svg_of(figure, key, alt)


def _draw_panel(axes: Axes, panel: Panel, chart: TimeChart) -> None:
    axes.annotate(
        panel.title, (0, 1), xycoords="axes fraction", xytext=(-_LEFT, 20 if panel.of else 13),
        textcoords="offset points", va="baseline", weight="bold", annotation_clip=False,
    )  # fmt: skip
    if panel.of:
        axes.annotate(
            shortened(panel.of, 62), (0, 1), xycoords="axes fraction", xytext=(-_LEFT, 6),
            textcoords="offset points", va="baseline", color=INKS["quiet"], fontsize=FONT - 1.5, annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(chart.from_s / _DAY_S, chart.to_s / _DAY_S)
    most = max((value for track in panel.tracks for value in track.values if value is not None), default=1.0)
    axes.set_ylim(0, 1.08 * most or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="both", length=0, labelsize=FONT - 1.5)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    locator = _LOCATOR(tz=UTC, minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_FORMATTER(locator, tz=UTC, show_offset=False))
    same_vendor: dict[str, int] = {}
    ends: list[tuple[float, Track]] = []
    for track in panel.tracks:
        number = same_vendor.get(track.chip.vendor, 0)
        same_vendor[track.chip.vendor] = number + 1
        ends.append((_draw_track(axes, track, chart.step_s, number) / (1.08 * most or 1.0), track))
    _name_ends(axes, ends)


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


def _name_ends(axes: Axes, ends: list[tuple[float, Track]]) -> None:
    """Names beside the lines' ends, moved apart where they would stand in one another."""
    places: list[float] = []
    ordered = sorted(ends, key=lambda end: end[0])
    for end, _ in ordered:
        places.append(max(end, places[-1] + _NAME_APART) if places else end)
    over = max(0.0, places[-1] - 1.02) if places else 0.0
    for index in range(len(places) - 1, -1, -1):
        above = places[index + 1] - _NAME_APART if index + 1 < len(places) else 1.02
        places[index] = min(places[index], above) if over else places[index]
    for place, (_, track) in zip(places, ordered, strict=True):
        axes.annotate(
            track.chip.label, (1.0, place), xycoords="axes fraction", xytext=(10, 0), textcoords="offset points",
            va="center", fontsize=FONT - 1, color=INKS["ink"],
        )  # fmt: skip
