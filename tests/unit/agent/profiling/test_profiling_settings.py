"""The table `profiling`: off by default, and checked."""

from pathlib import Path

import pytest

from steelyard_agent.config import make_config
from steelyard_agent.profiling.settings import Profiling
from steelyard_agent.settings import gather_settings
from steelyard_proto.errors import ConfigError


def load(environ: dict[str, str] | None = None, **flags: str) -> Profiling | None:
    surroundings = {"HOME": "/home/nobody-at-all", **(environ or {})}
    settings = gather_settings({f"profiling.{key}": value for key, value in flags.items()}, surroundings, None)
    return make_config(settings, surroundings).profiling


def test_it_is_off_until_it_is_set() -> None:
    assert load() is None
    found = load(enabled="true")
    assert found is not None
    assert (found.is_shared, found.is_abstract, found.continuous, found.stacks, found.npu_home) == (
        False, False, (), (), None,
    )  # fmt: skip
    assert (found.every_s, found.budget_share) == (600.0, 0.002)


def test_the_folder_is_systemds_where_there_is_one() -> None:
    found = load({"RUNTIME_DIRECTORY": "/run/steelyard:/run/x"}, enabled="true")
    assert found is not None
    assert found.folder == Path("/run/steelyard/profiles")
    named = load({"RUNTIME_DIRECTORY": "/run/steelyard"}, enabled="true", folder="/srv/p", continuous="a* b")
    assert named is not None
    assert (named.folder, named.continuous) == (Path("/srv/p"), ("a*", "b"))


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        ({"folder": "relative"}, "absolute path"),
        ({"folder": "/a/../b"}, "absolute path"),
        ({"folder": "/a\nACTIVITIES_LOG_FILE=/etc/x"}, "absolute path"),
        ({"folder": "/" + "x" * 60}, "longer than the 54 bytes"),
        ({"npu_home": "relative"}, "absolute path"),
        ({"budget_ppm": "0"}, "give 10 to"),
        ({"every_minutes": "0"}, "give 1 to"),
        ({"reader_mb": "10"}, "give 256 to"),
    ],
)
def test_nonsense_is_refused_with_what_to_give(flags: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        load(enabled="true", **flags)
