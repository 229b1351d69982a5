"""What pictures of lines have in common: two panels a row, their titles, and names at the ends of lines."""

from collections.abc import Iterator, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelyard_tui.report.charts import Chip
from steelyard_tui.report.plots.canvas import FONT, WIDTH, shortened
from steelyard_tui.report.plots.ink import INKS

PANEL: Final = 224.0
_TOP, _BOTTOM = 42.0, 30.0
_LEFT, _BETWEEN, _NAMES = 46.0, 40.0, 92.0
_NAME_APART = 0.085


def height_of(panels: int) -> float:
    """Of a picture of so many panels, two a row."""
    return PANEL * -(-panels // 2)


def boxes(figure: Figure, panels: int) -> Iterator[Axes]:
    """Axes for each panel, without a frame on the left."""
    height = height_of(panels)
    width = (WIDTH - _BETWEEN) / 2
    for number in range(panels):
        row, column = divmod(number, 2)
        left = column * (width + _BETWEEN) + _LEFT
        bottom = height - (row + 1) * PANEL + _BOTTOM
        box = (left / WIDTH, bottom / height, (width - _LEFT - _NAMES) / WIDTH, (PANEL - _TOP - _BOTTOM) / height)
        axes = figure.add_axes(box)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="both", length=0, labelsize=FONT - 1.5)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        yield axes


def put_title(axes: Axes, title: str, of: str = "") -> None:
    """The figure in bold; what it is of in a quieter type below."""
    axes.annotate(
        title, (0, 1), xycoords="axes fraction", xytext=(-_LEFT, 20 if of else 13),
        textcoords="offset points", va="baseline", weight="bold", annotation_clip=False,
    )  # fmt: skip
    if of:
        axes.annotate(
            shortened(of, 62), (0, 1), xycoords="axes fraction", xytext=(-_LEFT, 6),
            textcoords="offset points", va="baseline", color=INKS["quiet"], fontsize=FONT - 1.5, annotation_clip=False,
        )  # fmt: skip


def put_names(axes: Axes, ends: Sequence[tuple[float, Chip]]) -> None:
    """Names beside the lines' ends, as fractions of the height, moved apart where they would stand in one another."""
    places: list[float] = []
    ordered = sorted(ends, key=lambda end: end[0])
    for end, _ in ordered:
        places.append(max(end, places[-1] + _NAME_APART) if places else end)
    over = max(0.0, places[-1] - 1.02) if places else 0.0
    for index in range(len(places) - 1, -1, -1):
        above = places[index + 1] - _NAME_APART if index + 1 < len(places) else 1.02
        places[index] = min(places[index], above) if over else places[index]
    for place, (_, chip) in zip(places, ordered, strict=True):
        axes.annotate(
            chip.label, (1.0, place), xycoords="axes fraction", xytext=(10, 0), textcoords="offset points",
            va="center", fontsize=FONT - 1, color=INKS["ink"],
        )  # fmt: skip
