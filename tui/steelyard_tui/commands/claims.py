"""`steelyard claims`: what is claimed of the chips, and what this fleet's jobs say to it."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.window import add_since

if TYPE_CHECKING:
    from steelyard_tui.present.shares import Row


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_since(parser, "7d")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default %(default)s")
    add_collector_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    with client_of(arguments) as client:
        answer = client.claims(arguments.since)
    for fault in answer.faults:
        print(f"left out by the collector: {fault}", file=sys.stderr)
    if arguments.format == "table":
        sys.stdout.write("\n".join(table_lines(answer.table.to_pylist())) + "\n")
    else:
        from steelyard_tui.commands.formats import write_table

        write_table(answer.table, arguments.format, sys.stdout.buffer)
    return 0


def table_lines(rows: Sequence["Row"]) -> Iterator[str]:
    """The verdicts as text: a block a claim, a line a pair of chips."""
    from steelyard_tui.present.claims import claim_text, verdict_text
    from steelyard_tui.present.shares import window_text

    if rows:
        yield f"claims against the jobs of {window_text(rows[0])}; `consistent` is the strongest word"
    said = ""
    for row in rows:
        if row["claim"] != said:
            said = row["claim"]
            yield ""
            yield f"{said}: {claim_text(row)}; {row['said_by']}, {row['said_on']}"
            if row["note"]:
                yield f"  ({row['note']})"
        yield f"  {row['chip']} of {row['reference']}: {verdict_text(row)}"


COMMAND = Command(
    name="claims",
    help="public claims about the chips, and your own, judged on this fleet's jobs",
    examples=("steelyard claims", "steelyard claims --since 24h --format json"),
    add_arguments=_add_arguments,
    run=_run,
    needs_numpy=False,
)
