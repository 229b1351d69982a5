"""`steelyard-collector version`."""

import argparse
from importlib.metadata import version
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    subparsers.add_parser("version", help="print the version")


def run(arguments: argparse.Namespace) -> int:
    """Prints it."""
    print(version("steelyard"))
    return 0
