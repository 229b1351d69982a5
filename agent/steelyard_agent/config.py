"""The agent's settings, typed and checked. What each means, and why it defaults so, stands in default.toml."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelyard_agent.model import Origin
from steelyard_agent.profiling.settings import BOUNDS as PROFILING_BOUNDS
from steelyard_agent.profiling.settings import Profiling, make_profiling
from steelyard_agent.settings import Setting, Settings
from steelyard_proto.errors import ConfigError
from steelyard_proto.trainlog import load_patterns

LOG_LEVELS: Final = ("error", "warning", "info", "debug")

# What a number may be: the lowest and the highest value that makes sense, in the setting's own unit.
# Sources that ask a driver.
_DRIVERS: Final = ("nvml", "dcmi", "amdgpu")
_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "sampling.fast_period_ms": (100, 10_000),
    "sampling.host_period_ms": (100, 10_000),
    "sampling.slow_period_ms": (1_000, 3_600_000),
    "sampling.processes_period_ms": (1_000, 600_000),
    "sampling.agent_period_ms": (1_000, 600_000),
    "sampling.call_deadline_ms": (20, 10_000),
    "sampling.flush_ms": (200, 60_000),
    "spool.max_mb": (4, 1_000_000),
    **PROFILING_BOUNDS,
}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often things are read."""

    fast_period_ms: int
    host_period_ms: int
    slow_period_ms: int
    processes_period_ms: int
    agent_period_ms: int
    call_deadline_ms: int
    flush_ms: int


@dataclass(frozen=True, slots=True)
class CollectorAccess:
    """Where the collector is, and as whom to speak to it."""

    address: str
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    token: str = field(repr=False)
    token_file: Path | None


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one agent.

    Attributes:
        sources: the names of the sources to ask, as the registry knows them, and what to tell each.
        origin: where the figures of all of them come from.
        has_training: whether training processes may tell their steps.
        training_socket: where they do; empty for the usual places.
        has_logs: whether the logs of trainings that tell nothing are followed.
        log_patterns: the user's file of lines that tell of steps; None for the shipped ones.
        has_allocations: whether schedulers are asked which devices they have given to which job.
        profiling: how training processes are profiled; None where they aren't.
    """

    collector: CollectorAccess
    state_dir: Path
    node: str
    log_level: str
    sampling: Sampling
    spool_max_bytes: int
    sources: Mapping[str, str]
    origin: Origin
    labels: Mapping[str, str]
    has_training: bool
    training_socket: str
    has_logs: bool
    log_patterns: Path | None
    has_allocations: bool
    profiling: Profiling | None


def make_config(settings: Settings, environ: Mapping[str, str]) -> Config:
    """Checks the settings' values and puts them into their types.

    Args:
        settings: by key, as settings.py has gathered them.
        environ: the environment, for default directories.

    Raises:
        ConfigError: a value makes no sense; names where it came from, its key and what to give instead.
    """
    for key, (lowest, highest) in _BOUNDS.items():
        _check_bounds(settings[key], lowest, highest)
    level = settings["log_level"]
    if level.value not in LOG_LEVELS:
        raise level.error(f"is {level.value!r}; give one of {', '.join(LOG_LEVELS)}")
    origin = _origin(settings)
    return Config(
        collector=_collector(settings),
        state_dir=_state_dir(settings["state_dir"].text, environ, origin),
        node=settings["node"].text or socket.gethostname(),
        log_level=level.text,
        sampling=Sampling(**{name: settings[f"sampling.{name}"].number for name in Sampling.__slots__}),
        spool_max_bytes=settings["spool.max_mb"].number * 1_000_000,
        sources=_sources(settings),
        origin=origin,
        labels=_table(settings, "labels"),
        has_training=bool(settings["training.steps"].value),
        # The hook's variable holds for both sides, so that one export moves both.
        training_socket=settings["training.socket"].text or environ.get("STEELYARD_SOCKET", ""),
        has_logs=bool(settings["training.logs"].value),
        log_patterns=_patterns_file(_path(settings["training.log_patterns"])),
        has_allocations=bool(settings["jobs.allocations"].value),
        profiling=make_profiling(settings, environ),
    )


def _patterns_file(path: Path | None) -> Path | None:
    """Checked now, so that a fault is told at the start and not with the first log."""
    if path is not None:
        load_patterns(path)
    return path


def _sources(settings: Settings) -> dict[str, str]:
    recording, simulated = settings["sources.replay"].text, settings["sources.simulate"].text
    # A node has one origin: a machine's own figures among others could not be told apart.
    if recording and simulated:
        raise settings["sources.simulate"].error("a recording is to be played already; give one of both")
    if recording:
        path = str(Path(recording).expanduser())
        return {"replay": path, "replay_host": path}
    if simulated:
        return {"simulate": simulated}
    ours = {key.split(".")[1]: "" for key, entry in settings.items() if key.startswith("sources.") and entry.value}
    if "scrape" in ours:
        # The exporters read the same devices: asked twice, each would stand there twice.
        ours = {name: "" for name in ours if name not in _DRIVERS} | {"scrape": settings["sources.scrape"].text}
    return ours | _table(settings, "plugins")


def _origin(settings: Settings) -> Origin:
    if settings["sources.replay"].text:
        return "replayed"
    return "simulated" if settings["sources.simulate"].text else "measured"


def _table(settings: Settings, table: str) -> dict[str, str]:
    return {key.split(".", 1)[1]: entry.text for key, entry in settings.items() if key.startswith(f"{table}.")}


def _check_bounds(entry: Setting, lowest: int, highest: int) -> None:
    if not lowest <= entry.number <= highest:
        raise entry.error(f"is {entry.value}; give {lowest} to {highest}")


def _collector(settings: Settings) -> CollectorAccess:
    entry = settings["collector"]
    address = entry.text
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise entry.error(f"is {address!r}; give it as host:port, for example 127.0.0.1:8470")
    access = CollectorAccess(
        address=address,
        ca_file=_path(settings["ca_file"]),
        cert_file=_path(settings["cert_file"]),
        key_file=_path(settings["key_file"]),
        token=settings["token"].text,
        token_file=_path(settings["token_file"]),
    )
    if (access.cert_file is None) != (access.key_file is None):
        raise settings["cert_file"].error("cert_file and key_file go together; one is missing")
    if access.cert_file is not None and access.ca_file is None:
        raise settings["ca_file"].error("is missing; a certificate of our own needs the collector's CA too")
    has_token = bool(access.token or access.token_file)
    if has_token and access.ca_file is None and not _is_loopback(host) and not settings["insecure"].value:
        raise settings["token"].error(
            f"would go to {address} in plain text; give ca_file (`steelyard-collector init` prints it), "
            "or set insecure = true if the way there is safe"
        )
    return access


def _path(entry: Setting) -> Path | None:
    return Path(entry.text).expanduser() if entry.text else None


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host in ("[::1]", "::1")


def _state_dir(given: str, environ: Mapping[str, str], origin: Origin) -> Path:
    if given:
        return Path(given).expanduser()
    usual = _usual_state_dir(environ)
    # Whose figures are played or made up is another agent: this node's own must not be taken for such.
    return usual if origin == "measured" else usual / origin


def _usual_state_dir(environ: Mapping[str, str]) -> Path:
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/steelyard-agent")
    home = environ.get("HOME")
    base = environ.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    if not base:
        raise ConfigError("there is no HOME to keep it under; give --state-dir", key="state_dir")
    return Path(base) / "steelyard-agent"
