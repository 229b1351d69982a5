"""`steelyard`: the live screens without a command, plain commands otherwise.

Exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 no collector answers; 4 to 7 what `steelyard job` says of
a job; 130 interrupted.
stdout is data, stderr is talk.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from steelyard_proto.errors import SteelyardError
from steelyard_tui.commands import claims, compare, demo, diff, job, local, ops, report, sql, views, weigh
from steelyard_tui.commands.command import Command, add_collector_arguments, settings_of

COMMANDS: Final[tuple[Command, ...]] = (
    compare.COMMAND,
    claims.COMMAND,
    job.COMMAND,
    ops.COMMAND,
    diff.COMMAND,
    report.COMMAND,
    sql.COMMAND,
    views.DEVICES,
    views.NODES,
    views.JOBS,
    local.COMMAND,
    demo.COMMAND,
    weigh.COMMAND,
)

_EPILOG: Final = """\
examples:
  steelyard                                   the live screens of the collector on this machine
  steelyard --collector head-node:8470        of another
  steelyard local                             collector, agent and screens for this machine, in one
  steelyard compare --reference H100          how much of an H100 each chip is
  steelyard report --since 7d -o report.html  a week as one page
  steelyard sql "SELECT * FROM fleet_live"    ask the store

exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 no collector answers; 4 to 7 what `steelyard job`
says of a job; 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="steelyard",
        description="Efficiency of unlike accelerators, side by side. Without a command: the live screens.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")
    add_collector_arguments(parser)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            epilog="\n".join(["examples:", *(f"  {line}" for line in command.examples), "", command.notes]).rstrip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the only place where an error becomes text and an exit code."""
    if argv is None:
        # A program of its own; called by another one it leaves that one's imports alone.
        sys.meta_path.insert(0, _WithoutPandas)
    arguments = build_parser().parse_args(argv)
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


class _WithoutPandas:
    """Where pandas is installed, beside the collector, pyarrow loads it with the first time that it reads: 0.4 s."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """See importlib.abc.MetaPathFinder."""
        if name == "pandas":
            raise ModuleNotFoundError("pandas isn't used here", name=name)


def _screens(arguments: argparse.Namespace) -> int:
    from steelyard_tui.app import run

    return run(settings_of(arguments), ascii=arguments.ascii)
