"""`steelyard demo`: a live fleet on one machine, most of it simulated and marked so."""

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from steelyard_tui.commands.command import Command
from steelyard_tui.commands.local import is_headless, print_once, show_screens, start_agent, start_collector
from steelyard_tui.commands.processes import ProcessTree, end_on_signals, program

# A rank that is slow by nature is known after an hour; shares and claims take less.
_HISTORY_S: Final = 4500


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="print the fleet and an answer in SQL, then exit")
    parser.add_argument("--seconds", type=float, default=20.0, help="of samples before it prints (default 20)")
    parser.add_argument(
        "--wait", type=float, default=60.0, metavar="S", help="then so long at most for the chips' shares (default 60)"
    )
    parser.add_argument("--no-training", action="store_true", help="no small GPT on the CPU, even where torch is")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")


def _run(arguments: argparse.Namespace) -> int:
    end_on_signals()
    directory = Path(tempfile.mkdtemp(prefix="steelyard-demo-"))
    try:
        with ProcessTree(directory) as tree:
            print("starting a collector, an agent on this machine and a simulated fleet ...", file=sys.stderr)
            address = start_collector(tree, directory / "store")
            # A place of their own, so that an agent of this machine isn't told of the demo's steps.
            environ = {**os.environ, "STEELYARD_SOCKET": str(directory / "steps")}
            start_agent(tree, address, directory / "agent", environ)
            _start_fleet(tree, address, directory / "fleet")
            has_training = not arguments.no_training and importlib.util.find_spec("torch") is not None
            if has_training:
                _start_training(tree, environ)
            if is_headless(arguments.headless):
                return print_once(
                    tree,
                    address,
                    arguments.seconds,
                    ("measured", "simulated"),
                    has_training=has_training,
                    shares_wait_s=arguments.wait,
                )
            return show_screens(address, ascii_only=arguments.ascii)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _start_fleet(tree: ProcessTree, address: str, state: Path) -> None:
    # Sent each second, since somebody looks on; a real fleet gathers longer.
    command = [program("steelyard-agent"), "simulate", "--fleet", "demo", "--flush", "1", "--history", str(_HISTORY_S)]
    command += ["--collector", address, "--state-dir", str(state)]
    tree.start("fleet", command, os.environ)


def _start_training(tree: ProcessTree, environ: Mapping[str, str]) -> None:
    """A real training on the CPU, unmodified, so that not everything on screen is simulated."""
    script = Path(__file__).parent.parent / "demo" / "train_gpt.py"
    command = [program("steelyard-agent"), "run", "--", sys.executable, str(script)]
    # torch makes a directory for its compiler even where it compiles nothing; this one goes with the others.
    own = {"STEELYARD_JOB": "demo-gpt-on-cpu", "TORCHINDUCTOR_CACHE_DIR": str(tree.directory / "torch")}
    tree.start("training", command, {**environ, **own})


COMMAND = Command(
    name="demo",
    help="a live fleet on this machine: this CPU for real, the accelerators simulated and marked so",
    examples=("steelyard demo", "steelyard demo --headless --seconds 20"),
    add_arguments=_add_arguments,
    run=_run,
)
