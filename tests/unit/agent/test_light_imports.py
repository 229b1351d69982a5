"""Modules that are found in place of larger ones while something is imported."""

import subprocess
import sys
from types import ModuleType

import pytest

from steelyard_agent.help_format import HelpFormat
from steelyard_agent.light_import import in_place_of


def test_a_stand_in_is_found_and_then_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    small = ModuleType("colorsys")
    with in_place_of("colorsys", small):
        import colorsys

        assert colorsys is small
    import colorsys as real

    assert real.rgb_to_hsv(0, 0, 1) == (2 / 3, 1, 1)
    with in_place_of("colorsys", small):
        assert sys.modules["colorsys"] is real, "one that is there already stays"


def test_without_a_stand_in_the_import_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with in_place_of("colorsys", None), pytest.raises(ImportError):
        import colorsys  # noqa: F401


def test_a_grpc_that_wants_other_names_gets_them_from_the_real_module() -> None:
    # In a process of its own: typing_extensions changes typing, so a process can import it only once.
    code = (
        "import sys\n"
        "from steelyard_agent.light_import import in_place_of\n"
        "from steelyard_agent.sending.light_grpc import _typing_names\n"
        "assert 'typing_extensions' not in sys.modules\n"
        "with in_place_of('typing_extensions', _typing_names()):\n"
        "    from typing_extensions import TypedDict, override\n"
        "    assert callable(override)\n"
        "    assert TypedDict.__module__ in ('typing', 'typing_extensions')\n"
        "import typing_extensions\n"
        "assert typing_extensions.__file__\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert HelpFormat("p")._width == 98
    monkeypatch.setenv("COLUMNS", "none")
    assert HelpFormat("p")._width > 10
