"""Every action in one table: the keymap, the footer, the help screen and the palette are made from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# Where an action exists: a kind of screen, or everywhere.
ANY: Final = "any"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a user can do.

    Attributes:
        name: what the keymap calls, for example `app.show('jobs')`.
        keys: Textual's names of keys.
        label: one or two words for the footer.
        help: what it does, for help and palette.
        scopes: the kinds of screens that have it.
        section: its heading on the help screen.
        footer: its place in the footer, small first; 0 for none.
        shown: how help and footer write its keys; by default the first key.
    """

    name: str
    keys: tuple[str, ...]
    label: str
    help: str
    scopes: frozenset[str]
    section: str
    footer: int = 0
    shown: str = ""

    @property
    def key_text(self) -> str:
        """The keys as people write them."""
        return self.shown or self.keys[0]


_TABLES: Final = frozenset({"jobs", "nodes", "devices"})
_CHIPS: Final = frozenset({"compare", "fleet"})
_COMPARE: Final = frozenset({"compare"})
_JOB: Final = frozenset({"job"})
_DEEP: Final = frozenset({"device", "job"})
_LIVE: Final = _TABLES | _CHIPS | _DEEP
_MOVING: Final = _TABLES | _CHIPS
_PAST: Final = frozenset({"fleet", "device"})
_ALL: Final = frozenset({ANY})
_SQL: Final = frozenset({"sql"})
_FLAME: Final = frozenset({"flame"})
# Screens that stand alone: of what exists everywhere they have only what names them.
_ALONE: Final = _FLAME


ACTIONS: Final[tuple[Action, ...]] = (
    Action("app.show('compare')", ("1",), "compare", "How much of a reference each chip is", _ALL, "Screens"),
    Action("app.show('fleet')", ("2",), "fleet", "What the chips do now, side by side", _ALL, "Screens"),
    Action("app.show('jobs')", ("3",), "jobs", "Training jobs; enter shows one with what to look at", _ALL, "Screens"),
    Action("app.show('nodes')", ("4",), "nodes", "Nodes and their hosts", _ALL, "Screens"),
    Action("app.show('devices')", ("5",), "devices", "Devices; enter shows one with its history", _ALL, "Screens"),
    Action("app.show('sql')", ("6",), "sql", "The SQL console", _ALL, "Screens"),
    Action("app.next_screen", ("tab",), "next", "The next screen", _LIVE, "Screens"),
    Action("move('up')", ("up", "k"), "move", "One row up", _MOVING | _DEEP, "Moving", 3, "↑↓"),
    Action("move('down')", ("down", "j"), "move", "One row down", _MOVING | _DEEP, "Moving", shown="↓ j"),
    Action("move('page_up')", ("pageup", "ctrl+b"), "page", "One page up", _TABLES | {"job"}, "Moving"),
    Action("move('page_down')", ("pagedown", "ctrl+f"), "page", "One page down", _TABLES | {"job"}, "Moving"),
    Action("move('first')", ("home", "g"), "first", "The first row", _MOVING | {"job"}, "Moving", shown="home g"),
    Action("move('last')", ("end", "G"), "last", "The last row", _MOVING | {"job"}, "Moving", shown="end G"),
    Action("move('left')", ("left", "h"), "left", "Columns further left", _TABLES, "Moving", shown="← h"),
    Action("move('right')", ("right", "l"), "right", "Columns further right", _TABLES, "Moving", shown="→ l"),
    Action(
        "open", ("enter",), "open", "Open what the cursor is on, one level deeper", _MOVING | {"job"}, "Moving", 4, "⏎"
    ),
    Action(
        "back",
        ("escape",),
        "back",
        "Drop the filter, or go back to where you came from",
        _TABLES | _DEEP,
        "Moving",
        9,
        "esc",
    ),
    Action(
        "filter",
        ("slash",),
        "filter",
        "Show only rows with these words or tests: 910b busy<0.2",
        _TABLES,
        "Looking",
        5,
        "/",
    ),
    Action("sort", ("s",), "sort", "Choose what to sort by", _TABLES | {"fleet"}, "Looking", 6),
    Action("sort_next(1)", ("greater_than_sign",), "sort →", "Sort by the next column", _TABLES, "Looking", shown=">"),
    Action("sort_next(-1)", ("less_than_sign",), "sort ←", "Sort by the column before", _TABLES, "Looking", shown="<"),
    Action("invert", ("I",), "invert", "Turn the sorting round", _TABLES | {"fleet"}, "Looking"),
    Action("freeze", ("f",), "freeze", "Freeze the order of the rows; figures go on", _TABLES, "Looking"),
    Action("reference", ("r",), "reference", "Choose the chip that is 1", _COMPARE, "Looking", 5),
    Action("metric", ("m",), "metric", "Choose the figure that is compared", _CHIPS, "Looking", 5),
    Action("window", ("w",), "window", "Another length of history", _PAST | _COMPARE, "Looking", 6),
    Action(
        "zoom(-1)", ("plus", "equals_sign"), "zoom in", "A shorter history, seen finer", _PAST, "Looking", shown="+"
    ),
    Action("zoom(1)", ("minus",), "zoom out", "A longer history, seen coarser", _PAST, "Looking", shown="-"),
    Action("flame", ("f",), "flame", "Flame graph of the newest profile", _JOB, "Profiles", 5),
    Action("windows", ("F",), "profiles", "Flame graph of another profile", _JOB, "Profiles"),
    Action("difference", ("d",), "diff", "The newest profile against another", _JOB, "Profiles", 6),
    Action("profile", ("P",), "profile", "Profile this job now", _JOB, "Profiles", 6),
    Action("app.pause", ("p", "Z"), "pause", "Hold the display still; recording goes on", _LIVE, "Looking", 7),
    Action(
        "copy_row",
        ("y",),
        "copy",
        "Copy this row, to the clipboard and to a file",
        _TABLES | _COMPARE,
        "Taking along",
        8,
    ),
    Action(
        "copy_table",
        ("Y",),
        "copy all",
        "Copy all rows that pass the filter, as CSV",
        _TABLES | {"fleet"},
        "Taking along",
    ),
    Action("run", ("ctrl+j", "ctrl+enter", "f5"), "run", "Run the query", _SQL, "SQL", 3, "ctrl+j"),
    Action("cancel", ("escape",), "cancel", "Stop the running query, here and in the store", _SQL, "SQL", 4, "esc"),
    Action("history", ("f8",), "history", "Earlier queries", _SQL, "SQL", 6, "F8"),
    Action("examples", ("f2",), "examples", "Queries that answer common questions", _SQL, "SQL", 5, "F2"),
    Action("columns", ("f3",), "columns", "The views and their columns", _SQL, "SQL", 5, "F3"),
    Action(
        "export", ("ctrl+e",), "export", "Write the result to a file: .csv, .json, .parquet or .arrow", _SQL, "SQL", 7
    ),
    Action("other_pane", ("tab", "shift+tab"), "editor/result", "Between the editor and the result", _SQL, "SQL", 4),
    Action("move('up')", ("up", "k"), "move", "The caller", _FLAME, "Moving", 3, "↑↓←→"),
    Action("move('down')", ("down", "j"), "move", "The heaviest of what it calls", _FLAME, "Moving", shown="↓ j"),
    Action("move('left')", ("left", "h"), "left", "Its neighbour to the left", _FLAME, "Moving", shown="← h"),
    Action("move('right')", ("right", "l"), "right", "Its neighbour to the right", _FLAME, "Moving", shown="→ l"),
    Action("move('page_up')", ("pageup", "ctrl+b"), "page", "A screen of callers up", _FLAME, "Moving"),
    Action("move('page_down')", ("pagedown", "ctrl+f"), "page", "A screen of calls down", _FLAME, "Moving"),
    Action(
        "zoom", ("enter",), "zoom", "Let the selected frame fill the width; as a click does", _FLAME, "Moving", 4, "⏎"
    ),
    Action("whole", ("home", "g"), "all", "Everything again", _FLAME, "Moving", shown="home g"),
    Action("back", ("escape", "backspace"), "back", "Drop the search, zoom out, or leave", _FLAME, "Moving", 5, "esc"),
    Action("search", ("slash",), "search", "Find frames by a part of their name", _FLAME, "Looking", 6, "/"),
    Action("found(1)", ("n",), "next", "The next place of what is searched", _FLAME, "Looking", 7),
    Action("found(-1)", ("N",), "before", "The place before", _FLAME, "Looking"),
    Action("fold", ("u",), "unfold", "Layers one by one, or as one: layer[*]", _FLAME, "Looking", 8),
    Action("invert", ("i",), "callers", "From the kernels up: who calls them", _FLAME, "Looking", 8),
    Action("swap", ("x",), "swap", "The other of two profiles", _FLAME, "Looking", 8),
    Action("kind", ("t",), "stacks", "Stacks of the device, of the host, or sampled ones", _FLAME, "Looking", 8),
    Action("help", ("question_mark", "f1"), "help", "All keys and signs", _FLAME, "Steelyard", 1, "?"),
    Action("leave", ("q",), "leave", "Back to where you came from", _FLAME, "Steelyard", 11),
    Action("app.help", ("question_mark", "f1"), "help", "All keys and signs", _ALL, "Steelyard", 1, "?"),
    Action("app.palette", ("ctrl+p",), "commands", "Find an action by its name", _ALL, "Steelyard", 10),
    Action("app.quit", ("q", "ctrl+q"), "quit", "Leave", _ALL, "Steelyard", 11),
)


def actions_of(scope: str) -> tuple[Action, ...]:
    """The actions of one kind of screen, in the table's order."""
    is_alone = scope in _ALONE
    return tuple(a for a in ACTIONS if scope in a.scopes or (ANY in a.scopes and not is_alone))


def footer_of(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Those that the footer names, in its order."""
    return tuple(sorted((action for action in actions if action.footer), key=lambda action: action.footer))
