"""The base of the widgets that draw their lines themselves, from edge to edge."""

from typing import Self

from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


class Lines(Widget):
    """A widget without borders and padding; subclasses paint a line when it is asked for and has been refreshed."""

    def __init__(self, *, id: str | None = None) -> None:
        self._painted: dict[int, Strip] = {}
        self._painted_size = Size(0, 0)
        super().__init__(id=id, markup=False)

    def paint_line(self, y: int, size: Size) -> Strip:
        """One line of a widget of this size."""
        raise NotImplementedError

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As Widget's; without regions all lines are painted anew."""
        if not regions:
            self._painted.clear()
        for region in regions:
            for y in region.line_range:
                self._painted.pop(y, None)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        """As Widget's, but for borders, padding and their cache: those cost more than our lines do.

        Textual asks every widget for all of its lines at each paint, also where only one of another has changed.
        """
        size = self.size
        if size != self._painted_size:
            self._painted.clear()
            self._painted_size = size
        painted, strips = self._painted, []
        for y in crop.line_range:
            strip = painted.get(y)
            if strip is None:
                strip = painted[y] = self.paint_line(y, size)
            strips.append(strip)
        # Our colours are true ones already.
        for each in self.get_line_filters():
            if not isinstance(each, ANSIToTruecolor):
                strips = [strip.apply_filter(each, self.background_colors[1]) for strip in strips]
        return strips if crop.width == size.width else [strip.crop(crop.x, crop.right) for strip in strips]
