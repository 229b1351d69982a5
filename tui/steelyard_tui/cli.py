"""`steelyard`: the live screens without a command, plain commands otherwise.

Exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 no collector answers; 4 to 7 what `steelyard job` says of
a job; 130 interrupted.
stdout is data, stderr is talk.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Final

from steelyard_proto.errors import SteelyardError
from steelyard_tui.commands.command import Command, add_collector_arguments, settings_of

# Where each command stands, in the order of the help: a run loads its own alone.
COMMANDS: Final = {
    "compare": "compare.COMMAND",
    "claims": "claims.COMMAND",
    "job": "job.COMMAND",
    "profile": "profile.COMMAND",
    "trace": "trace.COMMAND",
    "ops": "ops.COMMAND",
    "diff": "diff.COMMAND",
    "report": "report.COMMAND",
    "sql": "sql.COMMAND",
    "devices": "views.DEVICES",
    "nodes": "views.NODES",
    "jobs": "views.JOBS",
    "local": "local.COMMAND",
    "demo": "demo.COMMAND",
    "weigh": "weigh.COMMAND",
    "version": "version.COMMAND",
}

_EPILOG: Final = """\
examples:
  steelyard                                   the live screens of the collector on this machine
  steelyard --collector head-node:8470        of another
  steelyard local                             collector, agent and screens for this machine, in one
  steelyard compare --reference H100          how much of an H100 each chip is
  steelyard profile 48213                     profile a job now, and print where its time goes
  steelyard report --since 7d -o report.html  a week as one page
  steelyard sql "SELECT * FROM fleet_live"    ask the store

exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 no collector answers; 4 to 7 what `steelyard job`
says of a job; 130 interrupted
"""


def build_parser(names: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The command line with these commands; whole if none are given."""
    parser = argparse.ArgumentParser(
        prog="steelyard",
        description="Efficiency of unlike accelerators, side by side. Without a command: the live screens.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")
    add_collector_arguments(parser)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for command in map(_command, names):
        sub = commands.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            epilog="\n".join(["examples:", *(f"  {line}" for line in command.examples), "", command.notes]).rstrip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, needs_numpy=command.needs_numpy)
    return parser


def _command(name: str) -> Command:
    module, _, constant = COMMANDS[name].partition(".")
    found: Command = getattr(import_module(f"steelyard_tui.commands.{module}"), constant)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the only place where an error becomes text and an exit code."""
    words = _joined(sys.argv[1:] if argv is None else argv)
    # Which word is the command only the parser can tell; one that is a command's name may be a flag's value.
    arguments = build_parser([name for name in COMMANDS if name in words] or COMMANDS).parse_args(words)
    if argv is None:
        # A program of its own; called by another one it leaves that one's imports alone.
        numpy = () if getattr(arguments, "needs_numpy", True) else ("numpy",)
        sys.meta_path.insert(0, _Without(("pandas", *numpy)))
    try:
        run = arguments.run if arguments.command else _screens
        return int(run(arguments))
    except SteelyardError as error:
        print(f"steelyard: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone (`| head`); what Python would flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _joined(words: Sequence[str]) -> list[str]:
    """The words with `--order -COLUMN` in one piece: argparse takes a value that begins with a dash for a flag."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--order" and word.startswith("-"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


class _Without:
    """pyarrow loads pandas and numpy where they are installed: 0.4 s and 0.15 s for nothing."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """See importlib.abc.MetaPathFinder."""
        if name in self._names:
            raise ModuleNotFoundError(f"{name} isn't used here", name=name)


def _screens(arguments: argparse.Namespace) -> int:
    from steelyard_tui.app import run

    return run(settings_of(arguments), ascii=arguments.ascii)
