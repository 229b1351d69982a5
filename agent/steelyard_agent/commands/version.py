"""`steelyard-agent version`: which version this is, and of what it is made."""

import argparse
import platform
import sys

from steelyard_agent.version import VERSION

HELP = "print the version"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command, which has no arguments."""
    subparsers.add_parser("version", help=HELP, description=HELP, epilog="example:\n  steelyard-agent version")


def run(arguments: argparse.Namespace) -> int:
    """Prints one line."""
    del arguments
    sys.stdout.write(f"steelyard-agent {VERSION} (Python {platform.python_version()}, {platform.machine()})\n")
    return 0
