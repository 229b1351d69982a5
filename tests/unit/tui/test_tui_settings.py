"""Which collector is asked: the flag, then the variable, then client.toml, then the default."""

from pathlib import Path

import pytest

from steelyard_proto.errors import ConfigError
from steelyard_tui.cli import main
from steelyard_tui.settings import DEFAULT_COLLECTOR, load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "steelyard" / "client.toml"
    path.parent.mkdir()
    path.write_text('collector = "file:3"\ntoken = "of the file"\n')
    return path


@pytest.mark.parametrize(
    ("flag", "variable", "has_file", "asked"),
    [
        ("flag:1", "variable:2", True, "flag:1"),
        (None, "variable:2", True, "variable:2"),
        (None, "", True, "file:3"),
        (None, None, True, "file:3"),
        (None, None, False, DEFAULT_COLLECTOR),
    ],
)
def test_the_first_that_says_it_counts(
    config: Path, flag: str | None, variable: str | None, has_file: bool, asked: str
) -> None:
    environ = {} if variable is None else {"STEELYARD_COLLECTOR": variable}
    found = load_settings({"collector": flag}, environ, config if has_file else config.with_name("none.toml"))
    assert found.collector == asked
    assert found.token == ("of the file" if has_file else ""), "each key by itself"


def test_an_unreachable_one_says_which_was_tried_and_how_to_start_one(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parents[1]))
    config.write_text('collector = "127.0.0.1:3"\n')
    monkeypatch.delenv("STEELYARD_COLLECTOR", raising=False)
    tried = []
    for variable, flags in ((None, []), ("127.0.0.1:2", []), ("127.0.0.1:2", ["--collector", "127.0.0.1:1"])):
        if variable:
            monkeypatch.setenv("STEELYARD_COLLECTOR", variable)
        assert main(["devices", *flags]) == 3
        said = capsys.readouterr()
        assert said.out == ""
        tried.append(said.err.partition("no collector answers at ")[2].partition(" ")[0])
        for remedy in ("`steelyard-collector daemon`", "`steelyard local`", "--collector host:port"):
            assert remedy in said.err
    assert tried == ["127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:1"]


@pytest.mark.parametrize("value", ["nowhere", ":8470", "host:", "host:70000", "host:x"])
def test_what_is_no_address_is_refused_with_an_example(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"give it as host:port, for example 127\.0\.0\.1:8470"):
        load_settings({"collector": value}, {}, tmp_path / "none.toml")
