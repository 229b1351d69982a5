"""An icicle of one profile, or of the change between two, over the whole terminal."""

from collections.abc import Callable, Mapping
from typing import Final

from textual import on, work
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from steelyard_proto.errors import SteelyardError
from steelyard_tui.actions import actions_of, footer_of
from steelyard_tui.flame.names import folded
from steelyard_tui.flame.shown import Shown
from steelyard_tui.flame.sums import Found, Sum, find, matching, own_sums
from steelyard_tui.flame.tree import ROOT, Tree, build_tree
from steelyard_tui.present.figures import count
from steelyard_tui.present.flame import Ink, path_line, picked_lines, table_lines
from steelyard_tui.present.frame import footer_line
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line, clean, spread
from steelyard_tui.screens.help import HelpScreen
from steelyard_tui.screens.live import bindings_of
from steelyard_tui.widgets.canvas import Canvas
from steelyard_tui.widgets.flame import FlameView
from steelyard_tui.widgets.paint import Painter

# The table below the icicle: at least so many lines, at most this share of the screen, where the icicle needs the rest.
_LEAST_TABLE: Final = 7
_TABLE_SHARE: Final = 0.35
_FRAME: Final = 5  # lines above and below both


class FlameScreen(Screen[None]):
    """Where a profile's time is, from the outermost call down to the kernels.

    Args:
        load: gives what is drawn by kind of stacks, the first shown first; called in a thread, and raises
            SteelyardError where it can't.
        painter: of the app.
        glyphs: of the terminal.
        on_leave: what `back` does with everything in sight.
    """

    SCOPE = "flame"
    BINDINGS = bindings_of("flame")
    AUTO_FOCUS = "FlameView"

    def __init__(
        self,
        load: Callable[[], Mapping[str, Shown]],
        painter: Painter,
        glyphs: Glyphs,
        *,
        on_leave: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._load, self._leave_by = load, on_leave
        self._painter, self._glyphs = painter, glyphs
        self._head = Canvas(painter, ground="bar", id="tabs")
        self._where = Canvas(painter, id="scope")
        self._input = Input(id="filter", placeholder="part of a frame's name", compact=True, classes="hidden")
        self._view = FlameView(painter, id="flame")
        self._told = Canvas(painter, ground="bar", id="told")
        self._table = Canvas(painter, id="table")
        self._footer = Canvas(painter, ground="bar", id="footer")
        self._kinds: Mapping[str, Shown] = {}
        self._kind = ""
        self._ink: Ink | None = None
        self._reason = ""
        self._is_folded, self._from_leaf, self._is_swapped = True, False, False
        self._text = ""
        self._found: Found | None = None
        self._found_at = -1
        self._sums: list[Sum] = []

    @property
    def _shown(self) -> Shown | None:
        """What is drawn, once it has been read."""
        return self._kinds.get(self._kind)

    def compose(self) -> ComposeResult:
        """Title, path, icicle, what is selected, the table, keys."""
        yield from (self._head, self._where, self._input, self._view, self._told, self._table, self._footer)

    def on_mount(self) -> None:
        """The profile is read."""
        self._read()

    @work(thread=True, group="flame", exclusive=True)
    def _read(self) -> None:
        """Reads what isn't read yet, and builds the tree as it is wanted."""
        try:
            kinds = self._kinds or self._load()
        except SteelyardError as error:
            self.app.call_from_thread(self._failed, str(error))
            return
        if not kinds:
            self.app.call_from_thread(self._failed, "no stacks were recorded")
            return
        kind = self._kind if self._kind in kinds else next(iter(kinds))
        drawn = kinds[kind].swapped() if self._is_swapped else kinds[kind]
        tree = build_tree(
            drawn.stacks,
            has_before=bool(drawn.before),
            renamed=folded if self._is_folded else None,
            from_leaf=self._from_leaf,
        )
        self.app.call_from_thread(self._built, kinds, kind, tree)

    def _failed(self, reason: str) -> None:
        self._reason = reason
        self.draw()

    def _built(self, kinds: Mapping[str, Shown], kind: str, tree: Tree) -> None:
        self._kinds, self._kind = kinds, kind
        self._ink = Ink(tree, self._glyphs, kinds[kind].unit)
        # Before it is searched: the place in the tree that was shown so far is none in this one.
        self._view.show(self._ink)
        self._search(self._text)

    def _search(self, text: str) -> None:
        """Looks for the text in the view; without one everything has its colour again."""
        self._text, self._found_at = text, -1
        if self._ink is None:
            return
        tree = self._ink.tree
        self._found = find(tree, self._view.view, text) if text else None
        matches = matching(tree, text) if text else None
        self._ink = Ink(tree, self._glyphs, self._ink.unit, matches, self._ink.tones)
        self._view.show(self._ink)
        self._sum_up()

    def _sum_up(self) -> None:
        if self._ink is not None:
            self._sums = own_sums(self._ink.tree, self._view.view, from_leaf=self._from_leaf)
        self.draw()

    def on_resize(self) -> None:
        """Laid out anew."""
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Everything but the icicle itself."""
        if not self.is_mounted:
            return
        width, height = self.size
        self._head.show([self._title_line(width)])
        absent = set() if self._shown is not None and self._shown.before else {"swap"}
        absent |= set() if len(self._kinds) > 1 else {"kind"}
        actions = [one for one in footer_of(actions_of(self.SCOPE)) if one.name not in absent]
        self._footer.show([footer_line(actions, width, self._glyphs)])
        if self._ink is None:
            text = f" {clean(self._reason)}" if self._reason else f" reading {self._glyphs.ellipsis}"
            self._where.show([((text, "warn" if self._reason else "quiet"),)])
            return
        lines = self._table_height(height)
        self._table.styles.height = lines
        self._where.show([self._where_line(width)])
        self._told.show(picked_lines(self._view.pointed, self._ink, width))
        self._table.show(table_lines(self._sums, self._ink, width, lines, title=self._table_title()))

    def _table_height(self, height: int) -> int:
        """The table takes what the icicle leaves, and its share where both want more."""
        room = max(0, height - _FRAME - (not self._input.has_class("hidden")))
        least = max(_LEAST_TABLE, round(room * _TABLE_SHARE)) if room > 2 * _LEAST_TABLE else 0
        return max(0, min(room, max(least, room - len(self._view.rows))))

    def _table_title(self) -> str:
        is_by_caller = self._from_leaf and self._view.view.node != ROOT
        return "time by outermost caller" if is_by_caller else "self time by frame"

    def _title_line(self, width: int) -> Line:
        shown = self._shown
        title: Line = ((" Steelyard ", "strong"), (" flame ", "tab"))
        if shown is None or self._ink is None:
            return title
        drawn = shown.swapped() if self._is_swapped else shown
        against = (("  against ", "quiet"), (clean(drawn.before), "head")) if drawn.before else ()
        tree = self._ink.tree
        unit = f"{self._ink.amount(int(tree.total[0]))} in {count(len(shown.stacks))} stacks "
        how = f"{self._kind} stacks " if self._kind else ""
        how += "callers below " if self._from_leaf else ""
        left = (*title, (f" {clean(drawn.title)}", "ink"), *against)
        return spread(left, ((how, "warn"), (unit, "quiet")), width, self._glyphs.ellipsis)

    def _where_line(self, width: int) -> Line:
        ink = self._ink
        assert ink is not None
        right: Line = ()
        if self._found is not None:
            share = f"{ink.share(self._found.weight):.1%}"
            said = f"{count(len(self._found.nodes))} places, {share}" if self._found.nodes else "nothing in this view"
            right = (("/", "quiet"), (clean(self._text), "warn"), (f" {said} ", "ink"))
        elif ink.has_before:
            right = ((" + larger share ", "grew-3"), (" ", "ink"), (" - smaller ", "shrank-3"), (" ", "ink"))
        used = sum(len(text) for text, _ in right)
        return spread(path_line(self._view.view, ink, width - used), right, width, self._glyphs.ellipsis)

    @on(FlameView.Pointed)
    def _pointed(self) -> None:
        if self._ink is not None:
            self._told.show(picked_lines(self._view.pointed, self._ink, self.size.width))

    @on(FlameView.Zoomed)
    def _zoomed(self) -> None:
        self._sum_up()

    def action_move(self, way: str) -> None:
        """Another cell."""
        self._view.move(way)

    def action_zoom(self) -> None:
        """The selected cell fills the width."""
        self._view.zoom()

    def action_whole(self) -> None:
        """Everything."""
        self._view.whole()

    def action_back(self) -> None:
        """Drops the search, then one view back, then away."""
        if self._text or self._input.has_focus:
            self._input.value = ""
            self._end_typing()
            self._search("")
        elif not self._view.back():
            self.action_leave()

    def action_leave(self) -> None:
        """To where the user came from."""
        if self._leave_by is not None:
            self._leave_by()
        else:
            self.dismiss(None)

    def action_search(self) -> None:
        """A line to type in."""
        self._input.remove_class("hidden")
        self._input.focus()
        self.call_after_refresh(self.draw)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._search(event.value.strip())

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._end_typing()
        self.action_found(1)

    def _end_typing(self) -> None:
        self._input.add_class("hidden")
        self._view.focus()
        self.call_after_refresh(self.draw)

    def action_found(self, by: int) -> None:
        """The next place, or the one before."""
        nodes = self._found.nodes if self._found is not None else ()
        if nodes:
            self._found_at = (self._found_at + by) % len(nodes)
            self._view.go(nodes[self._found_at])

    def action_fold(self) -> None:
        """Layers by their numbers, or as one."""
        self._is_folded = not self._is_folded
        self._read()

    def action_invert(self) -> None:
        """From the outermost call, or from the innermost one with its callers below."""
        self._from_leaf = not self._from_leaf
        self._read()

    def action_swap(self) -> None:
        """The other of the two profiles."""
        if self._shown is not None and self._shown.before:
            self._is_swapped = not self._is_swapped
            self._read()

    def action_kind(self) -> None:
        """Other stacks of the same profile."""
        names = list(self._kinds)
        if len(names) > 1:
            self._kind = names[(names.index(self._kind) + 1) % len(names)]
            self._read()

    def action_help(self) -> None:
        """All keys and signs."""
        self.app.push_screen(HelpScreen(self._painter, self._glyphs, self.SCOPE))
