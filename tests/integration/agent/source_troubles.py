"""What happens to devices, by kind of source: each trouble begins, costs some devices their figures, and ends.

The CPU, the host, a recording and a simulation have no devices that can be lost.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from tests.integration.agent.source_cases import Rig
from tests.standins.plugin_package import make_cards

Victims = Literal["one", "all", "none"]


@dataclass(frozen=True)
class Trouble:
    """A trouble of the device with index 1, of all, or of none.

    Attributes:
        is_total: the victims give no figure at all while it lasts.
    """

    begin: Callable[[Rig], None]
    end: Callable[[Rig], None]
    victims: Victims = "one"
    is_total: bool = True


def _keys(keys: Mapping[str, object], after: Mapping[str, object] | None = None, **facts: object) -> Trouble:
    """Keys of the scenario while it lasts, and others from its end on."""

    def begin(rig: Rig) -> None:
        assert rig.scenario is not None
        rig.scenario.set(dict(keys))

    def end(rig: Rig) -> None:
        assert rig.scenario is not None
        rig.scenario.drop(*keys)
        rig.scenario.set(dict(after or {}))

    return Trouble(begin, end, **facts)  # type: ignore[arg-type]


def _nothing(_rig: Rig) -> None:
    """What was added stays."""


def _replace_library(rig: Rig) -> None:
    """An upgrade: the library's file is another one, of the same name."""
    [library] = rig.folder.glob("lib*.so*")
    shutil.copy(library, rig.folder / "newer")
    (rig.folder / "newer").rename(library)


def _replaced(keys: Mapping[str, object], after: Mapping[str, object]) -> Trouble:
    inner = _keys(keys, after, victims="all")

    def begin(rig: Rig) -> None:
        _replace_library(rig)
        inner.begin(rig)

    return Trouble(begin, inner.end, "all")


_NVML: Final[Mapping[str, Trouble]] = {
    "hang": _keys({"hung.1": 60}),
    "lost": _keys({"lost.1": 1}),
    "permission": _keys({"refused.1": 4}),
    "library": _replaced({"driver_gone": 18}, {"driver": "580.95.05"}),
    "errors": _keys({"refused.1": 999, "flaky.1": 0.05}, is_total=False),
    "added": Trouble(_keys({"devices": 5}).begin, _nothing, "none"),
    # The device is lost until the library has been initialised again.
    "reset": _keys({"needs_restart.1": 1, "lost.1": 1}),
}
_DCMI: Final[Mapping[str, Trouble]] = {
    "hang": _keys({"hung.1": 60}),
    "lost": _keys({"lost.1": 1}),
    "permission": _keys({"refused.1": -8002}),
    "library": _replaced({"lost": 1, "error.dcmi_get_card_list": -8012, "error.dcmi_init": -8012}, {}),
    "errors": _keys({"refused.1": -8003, "flaky.1": 0.05}, is_total=False),
    "added": Trouble(_keys({"devices": 6}).begin, _nothing, "none"),
    "reset": _keys({"booting.1": 1}),
}


def _all_lost(rig: Rig) -> None:
    assert rig.tree is not None
    for index in range(rig.tree.count):
        rig.tree.lose(index)


def _all_found(rig: Rig) -> None:
    assert rig.tree is not None
    for index in range(rig.tree.count):
        rig.tree.find(index)


def _lose(index: int, rig: Rig) -> None:
    assert rig.tree is not None
    rig.tree.lose(index)


def _find(index: int, rig: Rig) -> None:
    assert rig.tree is not None
    rig.tree.find(index)


def _add(rig: Rig) -> None:
    assert rig.tree is not None
    rig.tree.add()


_AMD: Final[Mapping[str, Trouble]] = {
    "lost": Trouble(partial(_lose, 1), partial(_find, 1)),
    "library": Trouble(_all_lost, _all_found, "all"),
    "added": Trouble(_add, _nothing, "none"),
}


def _rename_card(before: str, after: str, rig: Rig) -> None:
    (rig.folder / before).rename(rig.folder / after)


def _garble_card(rig: Rig) -> None:
    """All its files but the name can't be read any more."""
    for file in (rig.folder / "cards/card1").iterdir():
        if file.name != "name":
            file.unlink()
            file.mkdir()


def _mend_card(rig: Rig) -> None:
    shutil.rmtree(rig.folder / "cards/card1")
    make_cards(rig.folder / "cards", 4)


_EXAMPLE: Final[Mapping[str, Trouble]] = {
    "lost": Trouble(partial(_rename_card, "cards/card1", "card1"), partial(_rename_card, "card1", "cards/card1")),
    "permission": Trouble(_garble_card, _mend_card),
    "library": Trouble(partial(_rename_card, "cards", "gone"), partial(_rename_card, "gone", "cards"), "all"),
    "added": Trouble(lambda rig: make_cards(rig.folder / "cards", 5), _nothing, "none"),
}

TROUBLES: Final[Mapping[str, Mapping[str, Trouble]]] = {
    "nvml-h100": _NVML,
    "nvml-old": _NVML,
    "dcmi-910b": _DCMI,
    "dcmi-910c": _DCMI,
    "amdgpu-mi300x": _AMD,
    "amdgpu-mi250x": _AMD,
    "example": _EXAMPLE,
}
