"""Gathers settings: the command line, the environment, a TOML file, and the shipped default.toml, in that order.

default.toml is also the list of what there is: a key that isn't in it is refused, and a value is of its type.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelyard_proto.errors import ConfigError

Scalar = str | int | bool
CONFIG_VARIABLE: Final = "STEELYARD_AGENT_CONFIG"
# The tables whose keys are the user's own.
_FREE_TABLES: Final = ("labels", "plugins")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, and where it comes from.

    Attributes:
        key: its path in the file, for example sampling.flush_ms.
        origin: a file, a variable or a flag; what an error names.
    """

    key: str
    value: Scalar
    origin: str

    @property
    def text(self) -> str:
        """The value of a text setting."""
        return str(self.value)

    @property
    def number(self) -> int:
        """The value of a number setting."""
        return int(self.value)

    def error(self, message: str) -> ConfigError:
        """An error about this value, which names its origin."""
        return ConfigError(message, path=self.origin, key=self.key)


Settings = Mapping[str, Setting]


def default_text() -> str:
    """default.toml as it is shipped."""
    return Path(__file__).with_name("default.toml").read_text(encoding="utf-8")


def gather_settings(flags: Mapping[str, str], environ: Mapping[str, str], config: Path | None) -> Settings:
    """Reads all sources of settings.

    Args:
        flags: by key, what the command line gives.
        environ: the environment.
        config: the file; None for the usual places, where it needn't exist.

    Raises:
        ConfigError: a file can't be read or is no TOML, a key is unknown, or a value has the wrong type.
    """
    defaults = dict(_flatten(tomllib.loads(default_text()), "default.toml"))
    settings = dict(defaults)
    path = config or _usual_file(environ)
    if path is not None:
        settings |= _from_file(path, defaults)
    settings |= _from_environ(environ, defaults)
    for key, text in flags.items():
        settings[key] = _convert(key, text, f"--set {key}" if "." in key else f"--{key.replace('_', '-')}", defaults)
    return settings


def variable_of(key: str) -> str:
    """The environment variable of a setting."""
    return "STEELYARD_" + key.replace(".", "_").upper()


def _usual_file(environ: Mapping[str, str]) -> Path | None:
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    home = environ.get("HOME")
    own = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    candidates = [Path(own) / "steelyard" / "agent.toml"] if own else []
    candidates.append(Path("/etc/steelyard/agent.toml"))
    return next((path for path in candidates if path.is_file()), None)


def _flatten(table: Mapping[str, object], origin: str, prefix: str = "") -> Iterator[tuple[str, Setting]]:
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, dict):
            yield from _flatten(value, origin, f"{key}.")
        elif isinstance(value, str | int):
            yield key, Setting(key, value, origin)
        else:
            raise ConfigError(f"is {value!r}; give a text, a whole number, true or false", path=origin, key=key)


def _from_file(path: Path, defaults: Settings) -> dict[str, Setting]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}; name another with --config", path=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", path=str(path)) from error
    found = dict(_flatten(table, str(path)))
    for key, entry in found.items():
        _check_known(key, str(path), defaults)
        expected = type(defaults[key].value) if key in defaults else str
        if type(entry.value) is not expected:
            raise entry.error(f"is {entry.value!r}; give {_article(expected)}")
    return found


def _from_environ(environ: Mapping[str, str], defaults: Settings) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for key in defaults:
        variable = variable_of(key)
        if environ.get(variable):
            found[key] = _convert(key, environ[variable], variable, defaults)
    for table in _FREE_TABLES:
        found |= _from_pairs(table, environ.get(variable_of(table), ""))
    return found


def _from_pairs(table: str, text: str) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    variable = variable_of(table)
    for pair in filter(None, text.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"has {pair!r}; give name=value,name=value", path=variable)
        key = f"{table}.{name.strip()}"
        found[key] = Setting(key, value.strip(), variable)
    return found


def _convert(key: str, text: str, origin: str, defaults: Settings) -> Setting:
    _check_known(key, origin, defaults)
    expected = type(defaults[key].value) if key in defaults else str
    if expected is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ConfigError(f"is {text!r}; give true or false", path=origin, key=key)
        return Setting(key, text.lower() in _TRUE, origin)
    if expected is int:
        if not text.lstrip("-").isdigit():
            raise ConfigError(f"is {text!r}; give a whole number", path=origin, key=key)
        return Setting(key, int(text), origin)
    return Setting(key, text, origin)


def _check_known(key: str, origin: str, defaults: Settings) -> None:
    if key in defaults or (key.partition(".")[0] in _FREE_TABLES and "." in key):
        return
    tail = key.rpartition(".")[2]
    near = [known for known in defaults if known.rpartition(".")[2] == tail or known.startswith(key)]
    # Imported here: a daemon whose settings are right does without.
    from difflib import get_close_matches

    near = near or get_close_matches(key, defaults, 1)
    hint = f"did you mean {near[0]}?" if near else "`steelyard-agent daemon --print-config` lists what there is"
    raise ConfigError(f"is no setting; {hint}", path=origin, key=key)


def _article(kind: type) -> str:
    return {str: "a text in quotes", int: "a whole number", bool: "true or false"}[kind]
