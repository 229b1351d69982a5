"""`steelyard local`: collector, agent and screens for this machine alone, nothing simulated."""

import argparse
import os
import sys
from pathlib import Path

from steelyard_tui.client import connect
from steelyard_tui.commands.command import Command
from steelyard_tui.commands.headless import print_fleet, wait_for_devices
from steelyard_tui.commands.processes import ProcessTree, program, wait_for_line
from steelyard_tui.locations import find_locations

LISTENING = r"listening on (\S+:\d+)"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="keep the store and the spool there (default: the XDG state dir)")
    parser.add_argument("--headless", action="store_true", help="print the fleet once and exit")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")


def _run(arguments: argparse.Namespace) -> int:
    directory = arguments.data_dir or find_locations(os.environ).state_dir / "local"
    directory.mkdir(parents=True, exist_ok=True)
    with ProcessTree(directory) as tree:
        address = start_collector(tree, directory / "store")
        start_agent(tree, address, directory / "agent")
        return show(tree, address, headless=arguments.headless, seconds=5.0, ascii_only=arguments.ascii)


def start_collector(tree: ProcessTree, store: Path) -> str:
    """Starts a collector on free ports over a store of its own; returns its address."""
    command = [program("steelyard-collector"), "daemon", "--store", f"chdb://{store}"]
    command += ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
    child = tree.start("collector", command, os.environ)
    return wait_for_line(child, LISTENING, tree, 60.0).group(1)


def start_agent(tree: ProcessTree, address: str, state: Path) -> None:
    """Starts an agent for this machine."""
    command = [program("steelyard-agent"), "daemon", "--collector", address, "--state-dir", str(state)]
    tree.start("agent", command, os.environ)


def show(tree: ProcessTree, address: str, *, headless: bool, seconds: float, ascii_only: bool) -> int:
    """The screens where there is a terminal, else the fleet as a table and an answer in SQL."""
    if headless or not sys.stdout.isatty():
        with connect(address) as client:
            wait_for_devices(client, tree, seconds)
            print_fleet(client, sys.stdout.buffer)
        tree.check()
        return 0
    from steelyard_tui.app import run
    from steelyard_tui.settings import Settings

    return run(Settings(collector=address), ascii=ascii_only)


COMMAND = Command(
    name="local",
    help="collector, agent and screens for this machine only, in one command",
    examples=("steelyard local", "steelyard local --headless", "steelyard local --data-dir /var/tmp/steelyard"),
    add_arguments=_add_arguments,
    run=_run,
)
