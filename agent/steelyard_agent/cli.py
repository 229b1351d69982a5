"""`steelyard-agent`: the program of a node.

Exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 no collector answers; 130 interrupted.
stdout is data, stderr is talk.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_agent.help_format import HelpFormat
from steelyard_agent.installation import refuse_old_pynvml
from steelyard_proto.errors import SteelyardError


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command: its module is imported only where it is the one that was called."""

    name: str
    module: str
    help: str


COMMANDS: Final = (
    Command("daemon", "steelyard_agent.commands.daemon", "sample this node and stream what is seen to a collector"),
    Command("run", "steelyard_agent.commands.run", "run a training that tells its steps and tokens"),
    Command("hook", "steelyard_agent.commands.hook", "put the training hook into a Python, or take it out"),
    Command("record", "steelyard_agent.commands.record", "write what a daemon would send to a file"),
    Command("replay", "steelyard_agent.commands.replay", "play what record has written, marked as replayed"),
    Command("energy", "steelyard_agent.commands.energy", "print the energy counters of the devices that a job holds"),
    Command("sample-stacks", "steelyard_agent.commands.sample_stacks", "run py-spy once for an agent; a unit's"),
    Command("simulate", "steelyard_agent.simulate.command", "be a fleet of plausible nodes, marked as simulated"),
    Command("doctor", "steelyard_agent.doctor.command", "say what this node can tell, and what is missing and why"),
    Command("version", "steelyard_agent.commands.version", "print the version"),
)

_EPILOG: Final = """\
examples:
  steelyard-agent daemon                                 stream to the collector on this machine
  steelyard-agent daemon --collector head-node:8470      to another
  steelyard-agent run -- torchrun train.py               a training whose steps and tokens are known
  steelyard-agent doctor                                 what can be seen here, and what can't and why
  steelyard-agent record --seconds 60 minute.steelyard   keep a minute, without names
  steelyard-agent replay minute.steelyard                play it to a collector, elsewhere or later

`steelyard-agent COMMAND --help` says more.
exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 no collector answers; 130 interrupted
"""


def build_parser(chosen: str = "") -> argparse.ArgumentParser:
    """The command line; only the chosen command knows its arguments, so that the daemon stays light."""
    parser = argparse.ArgumentParser(
        prog="steelyard-agent",
        description="Samples the accelerators of a node and streams what it sees.",
        epilog=_EPILOG,
        formatter_class=HelpFormat,
    )
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        if command.name == chosen:
            importlib.import_module(command.module).add_parser(subparsers)
        else:
            subparsers.add_parser(command.name, help=command.help, add_help=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the only place where an error becomes text and an exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), "")
    try:
        arguments = build_parser(chosen).parse_args(words)
        if arguments.command not in ("run", "hook"):
            # Those two need no driver, and a training must not fail for want of one.
            refuse_old_pynvml(sys.path)
        module = next(command.module for command in COMMANDS if command.name == arguments.command)
        return int(importlib.import_module(module).run(arguments))
    except SteelyardError as error:
        print(f"steelyard-agent: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
