"""`steelyard version`."""

import argparse
from importlib.metadata import version

from steelyard_tui.commands.command import Command


def _run(arguments: argparse.Namespace) -> int:
    print(version("steelyard"))
    return 0


COMMAND = Command(
    name="version",
    help="print the version",
    examples=("steelyard version",),
    add_arguments=lambda parser: None,
    run=_run,
    needs_numpy=False,
)
