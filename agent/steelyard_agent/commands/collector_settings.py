"""The arguments and the loading of settings that several commands share."""

import argparse
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from steelyard_agent.config import LOG_LEVELS, Config, make_config
from steelyard_agent.settings import gather_settings
from steelyard_proto.errors import ConfigError

# A flag of its own for what is set most often; --set reaches the rest.
_COLLECTOR_FLAGS: Final[Mapping[str, str]] = {
    "collector": "HOST:PORT of the collector [127.0.0.1:8470]",
    "ca_file": "PEM of the CA that signed the collector's certificate; without it: plain text",
    "cert_file": "PEM of the agent's own certificate, where TLS is mutual",
    "key_file": "PEM of its key",
    "token_file": "file with the agent's token",
    "state_dir": "directory of the spool and the agent's identity",
}
_NODE_FLAGS: Final[Mapping[str, str]] = {"node": "the node's name [the host's name]"}


def add_settings(parser: argparse.ArgumentParser, *, sends: bool) -> None:
    """Adds the flags of the settings; those about the collector only to a command that sends."""
    flags = {**(_COLLECTOR_FLAGS if sends else {}), **_NODE_FLAGS}
    for key, text in flags.items():
        metavar = {"collector": "HOST:PORT", "node": "NAME", "state_dir": "DIR"}.get(key, "FILE")
        parser.add_argument(f"--{key.replace('_', '-')}", dest=key, metavar=metavar, help=text)
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings in TOML; see --print-config")
    parser.add_argument("--log-level", dest="log_level", choices=LOG_LEVELS, help="how much to tell on stderr [info]")
    parser.add_argument(
        "--set", dest="settings", metavar="KEY=VALUE", action="append", default=[], help="any setting; may be repeated"
    )
    parser.add_argument("--print-config", action="store_true", help="print all settings with defaults and reasons")


def load_config(arguments: argparse.Namespace, implied: Mapping[str, str] | None = None) -> Config:
    """The settings of a command line, the environment and the file; also sets up the log on stderr.

    Args:
        arguments: the command line.
        implied: settings that the command itself stands for; --set still changes them.

    Raises:
        ConfigError: one is wrong.
    """
    given = {key: getattr(arguments, key, None) for key in (*_COLLECTOR_FLAGS, *_NODE_FLAGS, "log_level")}
    flags = dict(implied or {}) | {key: value for key, value in given.items() if value is not None}
    for pair in arguments.settings:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"is {pair!r}; give KEY=VALUE, for example sampling.fast_period_ms=500", key="--set")
        flags[key] = value
    config = make_config(gather_settings(flags, os.environ, arguments.config), os.environ)
    logging.basicConfig(
        stream=sys.stderr,
        level=config.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    return config
