"""The table reads the rows in sight and no others, however many there are."""

from rich.segment import Segment
from textual.app import App, ComposeResult

from steelyard_tui.present.columns import Row
from steelyard_tui.present.glyphs import UNICODE
from steelyard_tui.present.line import Line
from steelyard_tui.present.tables import DEVICES
from steelyard_tui.widgets.canvas import Canvas
from steelyard_tui.widgets.paint import Painter, merged
from steelyard_tui.widgets.table import MOVES, LiveTable


class CountingRows:
    def __init__(self, count: int) -> None:
        self.count = count
        self.read: list[int] = []

    def row(self, index: int) -> Row | None:
        self.read.append(index)
        return {"node": f"n{index}", "device_index": 0, "vendor": "nvidia", "chip": "H100", "state": "live"}


class TableApp(App[None]):
    def compose(self) -> ComposeResult:
        self.table = LiveTable(DEVICES.columns, Painter(), UNICODE)
        yield self.table


async def test_one_tick_reads_at_most_the_rows_in_sight() -> None:
    app, rows = TableApp(), CountingRows(100_000)
    async with app.run_test(size=(120, 30)) as pilot:
        for now_ms in (1000, 2000, 3000):
            rows.read.clear()
            app.table.show(rows, now_ms)
            await pilot.pause()
            assert 0 < len(rows.read) <= app.table.body_height
            assert max(rows.read) < app.table.body_height


async def test_moving_by_one_reads_at_most_two_rows() -> None:
    app, rows = TableApp(), CountingRows(100_000)
    async with app.run_test(size=(120, 30)) as pilot:
        app.table.show(rows, 1000)
        await pilot.pause()
        rows.read.clear()
        MOVES["down"](app.table)
        await pilot.pause()
        assert set(rows.read) <= {0, 1}
        assert app.table.cursor == 1


async def test_the_ends_and_pages_can_be_reached() -> None:
    app, rows = TableApp(), CountingRows(100_000)
    async with app.run_test(size=(120, 30)) as pilot:
        app.table.show(rows, 1000)
        await pilot.pause()
        MOVES["last"](app.table)
        assert (app.table.cursor, app.table.top) == (99_999, 100_000 - app.table.body_height)
        MOVES["page_up"](app.table)
        assert app.table.cursor == 99_999 - app.table.body_height
        MOVES["first"](app.table)
        assert (app.table.cursor, app.table.top) == (0, 0)
        MOVES["up"](app.table)
        assert app.table.cursor == 0


async def test_fewer_rows_bring_the_cursor_back() -> None:
    app = TableApp()
    async with app.run_test(size=(120, 30)) as pilot:
        app.table.show(CountingRows(1000), 1000)
        MOVES["last"](app.table)
        app.table.show(CountingRows(3), 1000)
        await pilot.pause()
        assert (app.table.cursor, app.table.top) == (2, 0)
        app.table.show(CountingRows(0), 1000)
        await pilot.pause()
        assert (app.table.cursor, app.table.top) == (0, 0)


def test_merging_keeps_the_text_and_the_tones_of_what_is_seen() -> None:
    line = (
        ("a", "ink"),
        ("  ", "quiet"),
        ("b", "ink"),
        ("c", "ink"),
        (" ", "tab"),
        (" ", "ink"),
        ("", "warn"),
        ("d", "warn"),
    )
    assert merged(line) == [("a  bc", "ink"), (" ", "tab"), (" ", "ink"), ("d", "warn")]


async def test_a_line_is_painted_once_until_it_changes() -> None:
    class CountingPainter(Painter):
        painted = 0

        def segments(self, line: Line, width: int, ground: str = "plain", *, dimmed: bool = False) -> list[Segment]:
            self.painted += 1
            return super().segments(line, width, ground, dimmed=dimmed)

    class CanvasApp(App[None]):
        def compose(self) -> ComposeResult:
            self.painter = CountingPainter()
            self.canvas = Canvas(self.painter)
            yield self.canvas

    app = CanvasApp()
    async with app.run_test(size=(40, 10)) as pilot:
        lines = [((f"line {y}", "ink"),) for y in range(10)]
        app.canvas.show(lines)
        await pilot.pause()
        app.painter.painted = 0
        app.canvas.show([*lines[:4], (("another", "ink"),), *lines[5:]])
        await pilot.pause()
        assert app.painter.painted == 1
        text = [strip.text.strip() for strip in app.screen._compositor.render_strips()]
        assert text[3:6] == ["line 3", "another", "line 5"]
        await pilot.resize_terminal(30, 10)
        await pilot.pause()
        assert {strip.cell_length for strip in app.screen._compositor.render_strips()} == {30}
