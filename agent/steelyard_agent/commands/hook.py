"""`steelyard-agent hook`: the training hook in a Python for good, for launchers that drop the environment."""

import argparse
import sys

from steelyard_agent.help_format import HelpFormat
from steelyard_agent.hook.start import PTH_NAME, install, remove, site_packages

HELP = "put the training hook into a Python, or take it out"

_EPILOG = """\
examples:
  steelyard-agent hook install --python /opt/train/bin/python   every training of this Python tells its steps
  steelyard-agent hook remove --python /opt/train/bin/python

STEELYARD_HOOK=0 in a training's environment leaves it out for once.
exit codes: 0 done; 2 the Python can't be run, or its packages can't be written
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser("hook", help=HELP, description=HELP, epilog=_EPILOG, formatter_class=HelpFormat)
    parser.add_argument("action", choices=("install", "remove"), help="what to do")
    parser.add_argument("--python", default="python3", metavar="PATH", help="the Python that trains [python3]")


def run(arguments: argparse.Namespace) -> int:
    """Does it, and says on stderr what was done."""
    packages = site_packages(arguments.python)
    if arguments.action == "install":
        sys.stderr.write(f"{install(packages)}: trainings of {arguments.python} tell their steps from now on\n")
        return 0
    removed = remove(packages)
    sys.stderr.write(f"{removed}: removed\n" if removed else f"{packages}: there is no {PTH_NAME}\n")
    return 0
