"""The lines around every screen: tabs, link, banners, footer, and what stands where there is nothing to show."""

import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_tui.actions import Action
from steelyard_tui.present.figures import count, duration
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.line import Line, Span, clean, fit, spread
from steelyard_tui.state import Link, LinkState

TABS: Final = (
    ("compare", "1 compare"),
    ("fleet", "2 fleet"),
    ("jobs", "3 jobs"),
    ("nodes", "4 nodes"),
    ("devices", "5 devices"),
    ("sql", "6 sql"),
)


@dataclass(frozen=True, slots=True)
class Status:
    """How the figures on screen stand.

    Attributes:
        link: the link to the collector.
        age_s: age of the newest figures.
        is_old: whether they are dimmed.
        paused_s: how long the display has been held; None while it goes on.
        wall_s: Unix time.
    """

    link: LinkState
    age_s: float
    is_old: bool
    paused_s: float | None
    wall_s: float


def tabs_line(current: str, status: Status, width: int, glyphs: Glyphs) -> Line:
    """Name, tabs, and the state of the link."""
    left: list[Span] = [(" Steelyard ", "strong")]
    for name, label in TABS:
        # A device's screen stands under the tab of devices, a job's under that of jobs.
        is_here = current in (name, name.removesuffix("s"))
        left.append((f" {label} ", "tab" if is_here else "head"))
    return spread(left, _state(status, width, glyphs), width, glyphs.ellipsis)


def tab_at(cell: int) -> str | None:
    """The screen whose tab is at this cell of the line."""
    start = len(" Steelyard ")
    for name, label in TABS:
        if start <= cell < start + len(label) + 2:
            return name
        start += len(label) + 2
    return None


def _state(status: Status, width: int, glyphs: Glyphs) -> Line:
    clock = time.strftime("%H:%M:%S" if width >= 100 else "%H:%M", time.localtime(status.wall_s))
    if status.paused_s is not None:
        return (("PAUSED ", "warn"), (f"{duration(status.paused_s)} ", "warn"))
    if status.link.link is Link.LOST:
        return (("no link ", "bad"), (f"{clock} ", "head"))
    if status.link.link is Link.CONNECTING:
        return (("connecting ", "quiet"), (f"{clock} " if width >= 100 else "", "head"))
    if status.is_old:
        return ((f"{glyphs.warn}old ", "warn"), (f"{clock} ", "head"))
    return ((glyphs.live, "good"), (" live " if width >= 90 else " ", "head"), (f"{clock} ", "head"))


def banner(status: Status, width: int, glyphs: Glyphs) -> Line | None:
    """The full-width band over figures that aren't live; None where they are."""
    if status.paused_s is not None:
        text = f" PAUSED {duration(status.paused_s)}: the display is held, recording goes on.  p goes on"
    elif status.link.link is Link.LOST:
        text = (
            f" RECONNECTING {status.link.attempts}, figures {duration(status.age_s)} old:"
            f" {clean(status.link.reason.split(';')[0])}"
        )
    elif status.is_old:
        text = f" No new figures for {duration(status.age_s)}: the collector is connected but silent"
    else:
        return None
    return ((fit(text, width, "left", glyphs.ellipsis), "band"),)


def footer_line(actions: Sequence[Action], width: int, glyphs: Glyphs) -> Line:
    """Keys and what they do, as many as fit whole."""
    line: list[Span] = [(" ", "head")]
    room = width - 1
    ways = glyphs.updown if glyphs.updown == glyphs.leftright else glyphs.updown + glyphs.leftright
    for action in actions:
        key = {"↑↓": glyphs.updown, "↑↓←→": ways, "⏎": glyphs.enter}.get(action.key_text, action.key_text)
        size = len(key) + len(action.label) + 3
        if size - 2 > room:
            break
        line += [(key, "strong"), (f" {action.label}  ", "quiet")]
        room -= size
    return tuple(line)


def no_collector(address: str, reason: str, attempts: int) -> list[Line]:
    """Nothing has ever come: which address, and how to start one."""
    is_silent = not reason or reason.startswith("no collector answers")
    said = reason.partition("(")[2].partition(")")[0] if is_silent else reason
    title = "No collector answers at" if is_silent else "No figures from the collector at"
    return [
        (),
        ((f"   {title} ", "strong"), (address, "warn")),
        *_wrapped(said, 74),
        (),
        (("   Start one here         ", "ink"), ("steelyard-collector daemon", "code")),
        (("   Everything, this host  ", "ink"), ("steelyard local", "code")),
        (("   A simulated fleet      ", "ink"), ("steelyard demo", "code")),
        (("   Another collector      ", "ink"), ("steelyard --collector HOST:PORT", "code")),
        (),
        ((f"   Tried {count(attempts)} times; trying on by itself.", "quiet"),),
    ]


def _wrapped(text: str, width: int) -> list[Line]:
    return [((f"   {line}", "quiet"),) for line in textwrap.wrap(clean(text), width)]


def no_data(address: str, what: str) -> list[Line]:
    """The collector answers but has nothing yet: how to start an agent."""
    return [
        (),
        ((f"   No {what} yet.", "strong"), (f" The collector at {address} answers, but nothing has arrived.", "ink")),
        (),
        (("   On each node to watch  ", "ink"), (f"steelyard-agent daemon --collector {address}", "code")),
        (("   What a node can give   ", "ink"), ("steelyard-agent doctor", "code")),
        (("   To look around first   ", "ink"), ("steelyard demo", "code")),
        (),
        (("   Rows appear here within seconds of the first sample.", "quiet"),),
    ]


def no_jobs() -> list[Line]:
    """Devices report, but no job holds any of them."""
    return [
        (),
        (("   No job holds a device.", "strong"),),
        (),
        (("   Agents find jobs by the processes on their devices: Slurm, Kubernetes, Ray, torchrun;", "ink"),),
        (("   set ", "ink"), ("STEELYARD_JOB", "code"), (" in a job's environment to name it yourself.", "ink")),
    ]


def refused(reason: str) -> list[Line]:
    """The collector refuses the filter or the view, and says why."""
    return [(), (("   The collector refuses this:", "strong"),), *_wrapped(reason, 74)]


def no_match(what: str, filter_text: str, all_rows: int) -> list[Line]:
    """The filter lets nothing through."""
    return [
        (),
        ((f"   None of {count(all_rows)} {what} passes  ", "strong"), (clean(filter_text), "warn")),
        (),
        (("   esc ", "strong"), ("drops the filter,  ", "ink"), ("/ ", "strong"), ("edits it", "ink")),
        (("   words look in all text; tests: ", "quiet"), ("chip:910b  busy<0.2  node!=n1  state:silent", "code")),
    ]


def waiting(what: str, glyphs: Glyphs) -> list[Line]:
    """The first answer is on its way."""
    return [(), ((f"   Asking for {what} {glyphs.ellipsis}", "quiet"),)]


def more_columns(count: int, glyphs: Glyphs) -> Line:
    """That there are columns out of sight, and how to see them."""
    return ((f"   {count} more columns with {glyphs.leftright}", "quiet"),) if count else ()


def legend(glyphs: Glyphs) -> Line:
    """The marks of figures that aren't measured here and now."""
    return (
        (glyphs.simulated, "title"),
        (" simulated  ", "quiet"),
        (glyphs.replayed, "title"),
        (" replayed  ", "quiet"),
        (glyphs.absent, "ink"),
        (" not given", "quiet"),
    )
