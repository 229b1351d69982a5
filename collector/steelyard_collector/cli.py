"""`steelyard-collector`: receives what agents send, keeps it in ClickHouse and serves it.

Exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 nothing answers, or an address is taken; 130 interrupted.
stdout is data, stderr is talk.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_proto.errors import SteelyardError


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command: its module is imported only where it is the one that was called."""

    name: str
    module: str
    help: str


COMMANDS: Final = (
    Command("daemon", "steelyard_collector.commands.daemon", "receive, store and serve"),
    Command(
        "init", "steelyard_collector.commands.init", "make a CA, a certificate and tokens, and print what agents need"
    ),
    Command("status", "steelyard_collector.commands.status", "say how a running collector is"),
    Command("version", "steelyard_collector.commands.version", "print the version"),
)

_EPILOG: Final = """\
examples:
  steelyard-collector daemon --store chdb:///var/lib/steelyard       serve this machine
  steelyard-collector init /etc/steelyard --host head-node           TLS and tokens for a cluster
  steelyard-collector daemon --config /etc/steelyard/collector.toml  serve the cluster with them
  steelyard-collector status                                         streams, rates, queue, store

`steelyard-collector COMMAND --help` says more.
exit codes: 0 done; 1 failed; 2 a wrong setting or argument; 3 nothing answers or an address is taken; 130 interrupted
"""


def build_parser(chosen: str = "") -> argparse.ArgumentParser:
    """The command line; only the chosen command knows its arguments."""
    parser = argparse.ArgumentParser(
        prog="steelyard-collector",
        description="Receives what agents send, keeps it in ClickHouse and serves it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        module = next(command.module for command in COMMANDS if command.name == arguments.command)
        return int(importlib.import_module(module).run(arguments))
    except SteelyardError as error:
        print(f"steelyard-collector: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
