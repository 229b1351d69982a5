"""What a command is, and how it finds its collector."""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from steelyard_tui.locations import find_locations
from steelyard_tui.settings import DEFAULT_COLLECTOR, VARIABLES, Settings, load_settings

if TYPE_CHECKING:
    from steelyard_tui.client import Client


@dataclass(frozen=True, slots=True)
class Command:
    """One sub-command of `steelyard`.

    Attributes:
        help: one line for the list of commands.
        examples: lines that can be pasted into a shell.
        add_arguments: adds what is the command's own.
        run: does it; returns the exit code.
        notes: what `--help` says below the examples.
        needs_numpy: whether pyarrow may load numpy; without it the command starts in half the time.
    """

    name: str
    help: str
    examples: tuple[str, ...]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    notes: str = ""
    needs_numpy: bool = True


_HELP: Final = {
    "collector": f"host:port (default {DEFAULT_COLLECTOR})",
    "token": "the viewer's token; better in a file",
    "token_file": "a file that holds the token",
    "ca_file": "the CA of the collector's certificate; turns TLS on",
    "cert_file": "our certificate, where TLS is mutual",
    "key_file": "its key",
}


def add_collector_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say which collector to ask, the same for every command."""
    group = parser.add_argument_group("collector", "each also by environment, then by client.toml")
    for key, variable in VARIABLES.items():
        # Suppressed when not given, so that a flag before the command is not undone by the command.
        group.add_argument(
            f"--{key.replace('_', '-')}", metavar="VALUE", default=argparse.SUPPRESS, help=f"{_HELP[key]} [{variable}]"
        )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings by flags, environment and client.toml; raises ConfigError."""
    flags = {key: getattr(arguments, key, None) for key in VARIABLES}
    return load_settings(flags, os.environ, find_locations(os.environ).client_config)


def client_of(arguments: argparse.Namespace) -> "Client":
    """A client of the collector that the arguments name."""
    # Here and not above: `--help` needs neither gRPC nor Arrow.
    from steelyard_tui.client import open_client

    return open_client(settings_of(arguments))
