from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from steelyard_agent.commands.collector_settings import _COLLECTOR_FLAGS, _NODE_FLAGS
from steelyard_agent.config import _BOUNDS, Config, Sampling, make_config
from steelyard_agent.settings import default_text, gather_settings, variable_of
from steelyard_proto.errors import ConfigError

HOME = {"HOME": "/home/nobody-at-all"}


def load(
    flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None, config: Path | None = None
) -> Config:
    surroundings = {**HOME, **(environ or {})}
    return make_config(gather_settings(flags or {}, surroundings, config), surroundings)


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return path


def test_defaults() -> None:
    config = load(environ={"STATE_DIRECTORY": "/var/lib/x"})
    assert config.collector.address == "127.0.0.1:8470"
    assert config.collector.ca_file is None
    assert config.sampling.fast_period_ms == 1000
    assert config.spool_max_bytes == 256_000_000
    assert config.sources == dict.fromkeys(("cpu", "host", "nvml", "dcmi", "amdgpu"), "")
    assert config.origin == "measured"
    assert config.state_dir == Path("/var/lib/x")
    assert config.node


def test_every_default_has_a_reason_above_it() -> None:
    lines = default_text().splitlines()
    for number, line in enumerate(lines):
        if line and line[0] not in "#[" and "=" in line:
            above = lines[number - 1]
            assert above.startswith("#") or "#" in line or "=" in above, f"{line} stands there without a reason"


def test_every_setting_is_in_the_shipped_file() -> None:
    keys = set(gather_settings({}, {}, None))
    assert {f"sampling.{field.name}" for field in fields(Sampling)} <= keys
    assert {*_COLLECTOR_FLAGS, *_NODE_FLAGS} <= keys
    assert set(_BOUNDS) <= keys


def test_the_printed_file_is_read_back_as_the_defaults(tmp_path: Path) -> None:
    assert load(config=file(tmp_path, default_text())) == load()


def test_flag_before_environment_before_file(tmp_path: Path) -> None:
    path = file(tmp_path, 'collector = "file:1"\n')
    environ = {"STEELYARD_COLLECTOR": "variable:2"}
    assert load(config=path).collector.address == "file:1"
    assert load(environ=environ, config=path).collector.address == "variable:2"
    assert load({"collector": "flag:3"}, environ, path).collector.address == "flag:3"


def test_the_usual_file_is_read_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "steelyard").mkdir()
    (tmp_path / "steelyard/agent.toml").write_text("[sampling]\nflush_ms = 777\n")
    assert load(environ={"XDG_CONFIG_HOME": str(tmp_path)}).sampling.flush_ms == 777
    other = file(tmp_path, "[sampling]\nflush_ms = 888\n")
    assert load(environ={"STEELYARD_AGENT_CONFIG": str(other)}).sampling.flush_ms == 888


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('colector = "a:1"', ("colector", "no setting", "did you mean collector?")),
        ("elsewhere = 1", ("elsewhere", "no setting", "--print-config")),
        ("[sampling]\nfast_ms = 1", ("sampling.fast_ms", "no setting")),
        ("flush_ms = 1", ("flush_ms", "did you mean sampling.flush_ms?")),
        ("collector = 8470", ("collector", "8470", "text in quotes")),
        ('[sampling]\nflush_ms = "5s"', ("sampling.flush_ms", "'5s'", "whole number")),
        ("[sampling]\nflush_ms = true", ("sampling.flush_ms", "whole number")),
        ("[sampling]\nfast_period_ms = 50", ("sampling.fast_period_ms", "50", "100 to 10000")),
        ("[sources]\ncpu = 1", ("sources.cpu", "true or false")),
        ("collector = [1]", ("collector", "[1]")),
        ('collector = "somewhere"', ("collector", "host:port", "127.0.0.1:8470")),
        ('log_level = "loud"', ("log_level", "loud", "debug")),
        ('cert_file = "a"', ("cert_file", "key_file")),
        ("collector = ", ("is not TOML",)),
    ],
)
def test_a_wrong_file_is_refused_by_name_key_and_remedy(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(config=path)
    for word in (str(path), *words):
        assert word in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: can't be read"):
        load(config=tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("STEELYARD_SAMPLING_FLUSH_MS", "soon", "whole number"),
        ("STEELYARD_SOURCES_CPU", "maybe", "true or false"),
        ("STEELYARD_LABELS", "rack", "name=value"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(variable: str, value: str, word: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(environ={variable: value})
    assert variable in str(error.value)
    assert word in str(error.value)


def test_an_unknown_key_of_set_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--set sampling\.x: sampling\.x: is no setting"):
        load({"sampling.x": "1"})


def test_variables_reach_every_setting() -> None:
    config = load(
        environ={
            "STEELYARD_SAMPLING_FAST_PERIOD_MS": "200",
            "STEELYARD_SOURCES_DCMI": "off",
            "STEELYARD_LABELS": "rack=r1, row=4",
        }
    )
    assert config.sampling.fast_period_ms == 200
    assert "dcmi" not in config.sources
    assert config.labels == {"rack": "r1", "row": "4"}
    assert variable_of("ca_file") == "STEELYARD_CA_FILE"


def test_other_programs_variables_are_left_alone() -> None:
    load(environ={"STEELYARD_JOB": "train-1", "STEELYARD_TEST_CLICKHOUSE": "x"})


def test_labels_of_the_file(tmp_path: Path) -> None:
    assert load(config=file(tmp_path, '[labels]\nrack = "r1"\n')).labels == {"rack": "r1"}


def test_a_token_never_goes_to_another_machine_in_plain_text() -> None:
    with pytest.raises(ConfigError, match="plain text"):
        load({"collector": "head:8470", "token": "secret"})
    assert load({"collector": "127.0.0.1:8470", "token": "secret"}).collector.token == "secret"
    assert load({"collector": "head:8470", "token": "secret", "ca_file": "ca.pem"}).collector.ca_file is not None
    assert load({"collector": "head:8470", "token": "secret", "insecure": "true"}).collector.token == "secret"


def test_a_token_is_in_no_text_of_the_settings() -> None:
    assert "secret" not in repr(load({"token": "secret"}))


def test_state_dir_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert load().state_dir == Path("/home/nobody-at-all/.local/state/steelyard-agent")
    assert load(environ={"XDG_STATE_HOME": "/s"}).state_dir == Path("/s/steelyard-agent")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert load().state_dir == Path("/var/lib/steelyard-agent")


def test_a_recording_takes_the_place_of_every_source() -> None:
    config = load({"sources.replay": "run.steelyard"})
    assert config.sources == {"replay": "run.steelyard", "replay_host": "run.steelyard"}
    assert config.origin == "replayed"
    assert config.state_dir == load().state_dir / "replayed", "not this node's own agent"


def test_simulated_devices_take_the_place_of_every_source() -> None:
    config = load({"sources.simulate": "8xH20"})
    assert (config.sources, config.origin) == ({"simulate": "8xH20"}, "simulated")
    with pytest.raises(ConfigError, match="give one of both"):
        load({"sources.simulate": "8xH20", "sources.replay": "run.steelyard"})


def test_exporters_stand_in_for_the_drivers_that_read_the_same_devices() -> None:
    url = "http://127.0.0.1:9400/metrics"
    assert load({"sources.scrape": url}).sources == {"cpu": "", "host": "", "scrape": url}


def test_plugins_are_told_their_argument(tmp_path: Path) -> None:
    assert load(config=file(tmp_path, '[plugins]\nmychip = "/dev/x"\n')).sources["mychip"] == "/dev/x"
