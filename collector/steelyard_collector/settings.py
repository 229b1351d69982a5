"""Gathers the collector's settings: flags, the environment, a TOML file, and the shipped default.toml, in that order.

default.toml is also the list of what there is: a key that isn't in it is refused, and a value is of its type.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from steelyard_proto.errors import ConfigError

Scalar = str | int | bool
CONFIG_VARIABLE: Final = "STEELYARD_COLLECTOR_CONFIG"
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the collector runs with; each field is a key of default.toml."""

    claims: str
    prices: str
    chips: str
    store_dsn: str
    store_retention_days: int
    store_max_disk: str
    listen_grpc: str
    listen_http: str
    listen_insecure: bool
    tls_cert: str
    tls_key: str
    tls_client_ca: str
    access_tokens: str
    ingest_commit_ms: int
    ingest_queue_mb: int
    rollup_period_s: int

    @property
    def max_disk_bytes(self) -> int:
        """The store's bound; 0 where the free disk decides."""
        return parse_bytes(self.store_max_disk, key="store.max_disk")


def default_text() -> str:
    """default.toml as it is shipped."""
    return Path(__file__).with_name("default.toml").read_text(encoding="utf-8")


def gather_settings(flags: Mapping[str, Scalar], environ: Mapping[str, str], config: Path | None) -> Settings:
    """Reads all sources of settings.

    Args:
        flags: by key (store.dsn), what the command line gives.
        environ: the environment.
        config: the file; None for the usual places, where it needn't exist.

    Raises:
        ConfigError: a file can't be read or is no TOML, a key is unknown, or a value has the wrong type.
    """
    values = dict(_flatten(tomllib.loads(default_text()), "default.toml"))
    origins = dict.fromkeys(values, "")
    path = config or _usual_file(environ)
    if path is not None:
        for key, value in _read(path).items():
            values[key] = _typed(key, value, values, str(path))
            origins[key] = str(path)
    for key in list(values):
        variable = "STEELYARD_" + key.replace(".", "_").upper()
        if variable in environ:
            values[key] = _typed(key, _parsed(environ[variable], values[key]), values, variable)
            origins[key] = variable
    values.update(flags)
    origins.update(dict.fromkeys(flags, "command line"))
    settings = Settings(**{key.replace(".", "_"): value for key, value in values.items()})  # type: ignore[arg-type]
    _check(settings, origins)
    return settings


def parse_bytes(text: str, *, key: str) -> int:
    """50GB, 1.5 TiB or a plain number as bytes.

    Raises:
        ConfigError: it is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"is {text!r}; write a size such as 50GB", key=key)
    base = 1024 if found.group(3) else 1000
    return int(float(found.group(1)) * base ** _POWERS[found.group(2).lower()])


def _check(settings: Settings, origins: Mapping[str, str]) -> None:
    try:
        parse_bytes(settings.store_max_disk, key="store.max_disk")
    except ConfigError as error:
        raise ConfigError(str(error).partition(": ")[2], path=origins[error.key], key=error.key) from error
    for name, least in (("store_retention_days", 1), ("ingest_commit_ms", 10), ("ingest_queue_mb", 8)):
        value, key = getattr(settings, name), name.replace("_", ".", 1)
        if value < least:
            raise ConfigError(f"is {value}; it must be at least {least}", path=origins[key], key=key)
    if bool(settings.tls_cert) != bool(settings.tls_key):
        given, missing = ("tls.cert", "tls.key") if settings.tls_cert else ("tls.key", "tls.cert")
        raise ConfigError(f"is given without {missing}; TLS needs both", path=origins[given], key=given)


def _usual_file(environ: Mapping[str, str]) -> Path | None:
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    home = environ.get("HOME")
    own = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    candidates = [Path(own) / "steelyard" / "collector.toml"] if own else []
    candidates.append(Path("/etc/steelyard/collector.toml"))
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> dict[str, Scalar]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}; name another with --config", path=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", path=str(path)) from error
    return dict(_flatten(table, str(path)))


def _flatten(table: Mapping[str, object], origin: str, prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, origin, f"{prefix}{name}.")
        elif isinstance(value, str | int | bool):
            yield prefix + name, value
        else:
            raise ConfigError(
                f"is {value!r}; give a text, a whole number, true or false", path=origin, key=prefix + name
            )


def _typed(key: str, value: Scalar, known: Mapping[str, Scalar], origin: str) -> Scalar:
    if key not in known:
        tail = key.rpartition(".")[2]
        near = [name for name in known if name.rpartition(".")[2] == tail or name.startswith(key)]
        near = near or get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]}?" if near else "`steelyard-collector daemon --print-config` lists what there is"
        raise ConfigError(f"is no setting; {hint}", path=origin, key=key)
    if type(value) is not type(known[key]):
        wanted = {str: "a text in quotes", int: "a whole number", bool: "true or false"}[type(known[key])]
        raise ConfigError(f"is {value!r}; give {wanted}", path=origin, key=key)
    return value


def _parsed(text: str, default: Scalar) -> Scalar:
    """A variable's text as the setting's type; as it is where it can't be."""
    if isinstance(default, bool):
        words = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        return words.get(text.lower(), text)
    return int(text) if isinstance(default, int) and text.lstrip("-").isdigit() else text
