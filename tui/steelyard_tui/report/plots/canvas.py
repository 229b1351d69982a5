"""A figure's way from matplotlib to an SVG that can stand in a page among others."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from steelyard_tui.report.plots.ink import INKS

# At full width a unit of the picture is a pixel of the page.
WIDTH: Final = 1040.0
_UNIT: Final = 72.0
FONT: Final = 12.5
# Typed loosely: matplotlib's own type of these names is a list of all of them.
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "font.size": FONT,
    # A name with a dollar is a name, not a formula.
    "text.parse_math": False,
    "axes.facecolor": "none",
    "text.color": INKS["ink"],
    "axes.labelcolor": INKS["quiet"],
    "axes.edgecolor": INKS["rule"],
    "xtick.color": INKS["quiet"],
    "ytick.color": INKS["quiet"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": INKS["rule"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
}
_FAMILY: Final = re.compile(r"'DejaVu Sans'[^;\"]*")
_ID: Final = re.compile(r'(\bid="|url\(#|xlink:href="#)')
_NUMBER: Final = re.compile(r"(\d+\.\d{2})\d+")


@contextmanager
def figure_of(height: float) -> Iterator[Figure]:
    """An empty figure of full width, in the report's style."""
    with rc_context(_STYLE), warnings.catch_warnings():
        # The page's own type has the signs that matplotlib's has not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH / _UNIT, height / _UNIT), facecolor="none")
        FigureCanvasSVG(figure)
        yield figure


def svg_of(figure: Figure, key: str, alt: str) -> str:
    """The figure as an SVG element: named, without a size of its own, its ids apart from those of other pictures."""
    out = io.StringIO()
    with rc_context({"svg.hashsalt": key}):
        metadata: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", facecolor="none", metadata=metadata)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style type=\"text/css\">.*?</style>", "", text, flags=re.DOTALL)
    text = _ID.sub(rf"\g<1>{key}-", text)
    text = _NUMBER.sub(r"\1", text)
    text = _FAMILY.sub("var(--type)", text)
    for name, color in INKS.items():
        text = text.replace(color, f"var(--{name})")
    width, height = (side * _UNIT for side in figure.get_size_inches())
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    head = f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width:.0f} {height:.0f}" {names}>'
    # By a function: a name with a backslash is a name, not a reference.
    return re.sub(r"<svg[^>]*>", lambda _: head, text, count=1).strip()


def shortened(text: str, most: int) -> str:
    """A name that must not run into what stands beside it."""
    return text if len(text) <= most else text[: most - 1] + "…"
