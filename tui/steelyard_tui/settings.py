"""Which collector to ask, and as whom: flags, then the environment, then client.toml, then the default."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_proto.errors import ConfigError

DEFAULT_COLLECTOR: Final = "127.0.0.1:8470"

# key in client.toml and of the flags -> environment variable
VARIABLES: Final[Mapping[str, str]] = {
    "collector": "STEELYARD_COLLECTOR",
    "token": "STEELYARD_TOKEN",
    "token_file": "STEELYARD_TOKEN_FILE",
    "ca_file": "STEELYARD_CA_FILE",
    "cert_file": "STEELYARD_CERT_FILE",
    "key_file": "STEELYARD_KEY_FILE",
}


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM texts: the CA that signed the collector, and our own certificate where TLS is mutual."""

    ca: bytes
    certificate: bytes | None = None
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach a collector.

    Attributes:
        collector: host:port.
        tls: None for plain text, which only suits loopback.
        token: the bearer token, empty for none.
    """

    collector: str = DEFAULT_COLLECTOR
    tls: Tls | None = None
    token: str = field(default="", repr=False)


def load_settings(flags: Mapping[str, str | None], environ: Mapping[str, str], config: Path) -> Settings:
    """Reads the settings; for each key the first source that has it counts.

    Args:
        flags: by the keys of `VARIABLES`; None or absent where the flag wasn't given.
        environ: the environment.
        config: client.toml; it needn't exist.

    Raises:
        ConfigError: the file is no TOML, has an unknown key, or names a file that can't be read.
    """
    stored = _read_config(config)
    values = {
        key: _first(flags.get(key), environ.get(variable), stored.get(key)) for key, variable in VARIABLES.items()
    }
    collector = _address(values["collector"] or DEFAULT_COLLECTOR)
    token = values["token"]
    if not token and values["token_file"]:
        token = _read("token_file", values["token_file"]).decode(errors="replace").strip()
    return Settings(collector=collector, tls=_tls(values), token=token)


def _first(*candidates: str | None) -> str:
    return next((candidate for candidate in candidates if candidate), "")


def _read_config(path: Path) -> dict[str, str]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", path=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", path=str(path)) from error
    for key, value in entries.items():
        if key not in VARIABLES:
            raise ConfigError(f"unknown; known are {', '.join(VARIABLES)}", path=str(path), key=key)
        if not isinstance(value, str):
            raise ConfigError(f"is {value!r}; it must be a string", path=str(path), key=key)
    return entries


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"is {value!r}; give it as host:port, for example {DEFAULT_COLLECTOR}", key="collector")
    return value


def _tls(values: Mapping[str, str]) -> Tls | None:
    if bool(values["cert_file"]) != bool(values["key_file"]):
        raise ConfigError("cert_file and key_file go together; one is missing", key="cert_file")
    if not values["ca_file"]:
        if values["cert_file"]:
            raise ConfigError("is missing; a client certificate needs the collector's CA too", key="ca_file")
        return None
    return Tls(
        ca=_read("ca_file", values["ca_file"]),
        certificate=_read("cert_file", values["cert_file"]) if values["cert_file"] else None,
        key=_read("key_file", values["key_file"]) if values["key_file"] else None,
    )


def _read(key: str, path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", key=key) from error
