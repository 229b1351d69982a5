"""`steelyard local`: collector, agent and screens for this machine alone, nothing simulated."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from steelyard_tui.commands.command import Command
from steelyard_tui.commands.headless import (
    print_fleet,
    print_shares,
    wait_for_devices,
    wait_for_shares,
    wait_for_steps,
)
from steelyard_tui.commands.processes import ProcessTree, end_on_signals, program, wait_for_line
from steelyard_tui.locations import find_locations
from steelyard_tui.settings import Settings

_SECONDS: Final = 5.0  # of samples, before it prints without a terminal
LISTENING: Final = r"listening on (\S+:\d+)"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="keep the store and the spool there (default: the XDG state dir)")
    parser.add_argument("--headless", action="store_true", help="print the fleet once and exit")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")


def _run(arguments: argparse.Namespace) -> int:
    directory = arguments.data_dir or find_locations(os.environ).state_dir / "local"
    directory.mkdir(parents=True, exist_ok=True)
    end_on_signals()
    with ProcessTree(directory) as tree:
        address = start_collector(tree, directory / "store")
        start_agent(tree, address, directory / "agent")
        if is_headless(arguments.headless):
            return print_once(tree, address, _SECONDS, ("measured",))
        return show_screens(address, ascii_only=arguments.ascii)


def start_collector(tree: ProcessTree, store: Path) -> str:
    """Starts a collector on free ports over a store of its own; returns its address."""
    command = [program("steelyard-collector"), "daemon", "--store", f"chdb://{store}"]
    command += ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
    child = tree.start("collector", command, os.environ)
    return wait_for_line(child, LISTENING, tree, 60.0).group(1)


def start_agent(tree: ProcessTree, address: str, state: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Starts an agent for this machine."""
    command = [program("steelyard-agent"), "daemon", "--collector", address, "--state-dir", str(state)]
    tree.start("agent", command, environ)


def is_headless(asked: bool) -> bool:
    """Whether nobody looks on: asked for, or no terminal to draw on."""
    return asked or not (sys.stdout.isatty() and sys.stderr.isatty())


def print_once(
    tree: ProcessTree,
    address: str,
    seconds: float,
    origins: Sequence[str],
    *,
    has_training: bool = False,
    shares_wait_s: float | None = None,
) -> int:
    """Prints the fleet as a table and an answer in SQL, when devices of these origins have reported for a while.

    Args:
        tree: the programs.
        address: of the collector.
        seconds: of samples before it prints.
        origins: measured, simulated.
        has_training: a training on this machine tells its steps soon.
        shares_wait_s: how long to wait for shares of the simulated chips; None: they aren't printed.
    """
    from steelyard_tui.client import connect

    with connect(address) as client:
        wait_for_devices(client, tree, seconds, origins)
        if has_training:
            wait_for_steps(client, tree)
        if shares_wait_s is not None:
            wait_for_shares(client, tree, shares_wait_s)
        print_fleet(client, sys.stdout.buffer)
        if shares_wait_s is not None:
            print_shares(client, sys.stdout.buffer)
    tree.check()
    return 0


def show_screens(address: str, *, ascii_only: bool) -> int:
    """The live screens, until the user leaves."""
    from steelyard_tui.app import run

    return run(Settings(collector=address), ascii=ascii_only)


COMMAND = Command(
    name="local",
    help="collector, agent and screens for this machine only, in one command",
    examples=("steelyard local", "steelyard local --headless", "steelyard local --data-dir /var/tmp/steelyard"),
    add_arguments=_add_arguments,
    run=_run,
)
