"""`steelyard sql`: one query, or a shell without one."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from steelyard_proto.errors import ConfigError, SteelyardError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.formats import FORMATS, write_table

if TYPE_CHECKING:
    from steelyard_tui.client import Client


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", nargs="?", help="a SELECT, SHOW or DESCRIBE; - reads it from standard input")
    parser.add_argument("--format", choices=FORMATS, default="table", help="of the rows (default table)")
    parser.add_argument("--output", metavar="FILE", help="write the rows there instead of to standard output")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a value for {NAME:Type} in the query"
    )
    parser.add_argument("--max-rows", type=int, default=0, metavar="N", help="rows at most (default: the collector's)")
    add_collector_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    parameters = dict(_parameter(text) for text in arguments.param)
    with client_of(arguments) as client:
        if arguments.query is None and sys.stdin.isatty():
            return _shell(client, arguments)
        query = sys.stdin.read() if arguments.query in (None, "-") else arguments.query
        _answer(client, query, parameters, arguments)
    return 0


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ConfigError(f"is {text!r}; give it as NAME=VALUE", key="--param")
    return name, value


def _answer(client: "Client", query: str, parameters: dict[str, str], arguments: argparse.Namespace) -> None:
    result = client.sql(query, parameters, arguments.max_rows)
    if arguments.output:
        try:
            with open(arguments.output, "wb") as file:
                write_table(result.table, arguments.format, file)
        except OSError as error:
            raise ConfigError(f"{arguments.output}: {error.strerror}", key="--output") from error
    else:
        write_table(result.table, arguments.format, sys.stdout.buffer)
    if result.truncated:
        print(f"only the first {result.table.num_rows} rows; ask for more with --max-rows", file=sys.stderr)


def _shell(client: "Client", arguments: argparse.Namespace) -> int:
    """Reads statements up to a semicolon, until the end of input."""
    import readline  # noqa: F401  editing and history for input()

    print(f"connected to {client.address}; end a statement with ; and leave with ctrl-d", file=sys.stderr)
    lines: list[str] = []
    while True:
        try:
            lines.append(input("steelyard> " if not lines else "        -> "))
        except EOFError:
            print(file=sys.stderr)
            return 0
        except KeyboardInterrupt:
            lines.clear()
            print(file=sys.stderr)
            continue
        if not lines[-1].rstrip().endswith(";"):
            continue
        statement = "\n".join(lines).rstrip().rstrip(";")
        lines.clear()
        began = time.monotonic()
        try:
            _answer(client, statement, {}, arguments)
            print(f"{time.monotonic() - began:.3f} s", file=sys.stderr)
        except SteelyardError as error:
            print(f"steelyard sql: {error}", file=sys.stderr)


COMMAND = Command(
    name="sql",
    help="ask the store in SQL; a shell without a query",
    examples=(
        "steelyard sql 'SELECT vendor, chip, reporting, power_total_w FROM fleet_live'",
        "steelyard sql --param n=node-3 'SELECT * FROM devices WHERE node = {n:String}' --format csv",
        "steelyard sql 'SELECT * FROM events' --format parquet --output events.parquet",
    ),
    add_arguments=_add_arguments,
    run=_run,
)
