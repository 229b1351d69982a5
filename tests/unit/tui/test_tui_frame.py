from steelyard_tui.actions import ACTIONS, ANY, actions_of, footer_of
from steelyard_tui.present.frame import TABS, Status, banner, footer_line, no_collector, no_data, tab_at, tabs_line
from steelyard_tui.present.glyphs import ASCII, UNICODE
from steelyard_tui.present.help import help_lines
from steelyard_tui.present.line import line_width, plain
from steelyard_tui.state import Link, LinkState

LIVE = Status(LinkState(Link.LIVE), 0.4, False, None, 0.0)
LOST = Status(LinkState(Link.LOST, 3, "no collector answers at x:1 (refused); start one"), 41.0, True, None, 0.0)


def test_figures_that_are_not_live_say_so_in_words() -> None:
    assert banner(LIVE, 80, UNICODE) is None
    lost = banner(LOST, 80, UNICODE)
    assert lost is not None
    assert plain(lost).startswith(" RECONNECTING 3, figures 41 s old")
    assert line_width(lost) == 80
    paused = banner(Status(LinkState(Link.LIVE), 12.0, False, 12.0, 0.0), 80, UNICODE)
    assert paused is not None
    assert "PAUSED 12 s" in plain(paused)
    silent = banner(Status(LinkState(Link.LIVE), 30.0, True, None, 0.0), 80, UNICODE)
    assert silent is not None
    assert "30 s" in plain(silent)


def test_a_click_on_a_tab_finds_its_screen() -> None:
    for width in (80, 160):
        text = plain(tabs_line("fleet", LIVE, width, UNICODE))
        assert len(text) == width
        for name, label in TABS:
            assert tab_at(text.index(label)) == name
    assert tab_at(2) is None
    assert tab_at(79) is None


def test_empty_screens_name_the_address_and_the_command() -> None:
    text = "\n".join(plain(line) for line in no_collector("head:8470", LOST.link.reason, 4))
    assert "head:8470" in text
    assert "refused" in text
    assert "steelyard-collector daemon" in text
    denied = "\n".join(
        plain(line) for line in no_collector("head:8470", "the collector refuses access: give a token", 1)
    )
    assert "give a token" in denied
    assert "steelyard-agent daemon --collector head:8470" in "\n".join(
        plain(line) for line in no_data("head:8470", "devices")
    )


def test_footers_fit_and_always_name_help() -> None:
    for scope in ("compare", "fleet", "jobs", "device", "sql"):
        for width in (40, 80, 160):
            line = plain(footer_line(footer_of(actions_of(scope)), width, UNICODE))
            assert len(line.rstrip()) <= width
            assert line.startswith(" ? help")


def test_no_key_means_two_things_on_one_screen() -> None:
    scopes = {scope for action in ACTIONS for scope in action.scopes} - {ANY}
    for scope in scopes:
        keys = [key for action in actions_of(scope) for key in action.keys]
        assert len(keys) == len(set(keys)), scope


def test_help_names_every_action_in_ascii_too() -> None:
    for glyphs in (UNICODE, ASCII):
        text = "\n".join(plain(line) for line in help_lines(ACTIONS, 80, glyphs, has_bars=True))
        assert "the interval; the tick in it is the estimate" in text
        assert glyphs is UNICODE or text.isascii()
        for action in ACTIONS:
            assert action.help.replace("→", ">" if glyphs is ASCII else "→") in text
