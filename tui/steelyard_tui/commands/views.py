"""`steelyard devices|nodes|jobs`: a view as a plain table for scripts."""

import argparse
import sys

from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.formats import FORMATS, write_table


def _command(view: str, text: str, columns: tuple[str, ...], example: str) -> Command:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("filter", nargs="*", help="words and column tests: 910b chip:H100 busy<0.2 node!=n1")
        parser.add_argument("--columns", default=",".join(columns), help="by commas, or `all` (default %(default)s)")
        parser.add_argument("--order", default="", metavar="COLUMN", help="sort by it; -COLUMN for the largest first")
        parser.add_argument("--limit", type=int, default=10_000, metavar="N", help="rows at most (default %(default)s)")
        parser.add_argument("--format", choices=FORMATS, default="table", help="of the rows (default table)")
        add_collector_arguments(parser)

    def run(arguments: argparse.Namespace) -> int:
        from steelyard_tui.client import WatchQuery

        wanted = () if arguments.columns == "all" else tuple(arguments.columns.split(","))
        query = WatchQuery(
            view=view,
            columns=wanted,
            filter=" ".join(arguments.filter),
            order=arguments.order.lstrip("-"),
            descending=arguments.order.startswith("-"),
            limit=arguments.limit,
        )
        with client_of(arguments) as client:
            frame = client.read_view(query)
        write_table(frame.table, arguments.format, sys.stdout.buffer)
        if frame.total_rows > frame.table.num_rows:
            print(f"{frame.table.num_rows} of {frame.total_rows} rows; more with --limit", file=sys.stderr)
        return 0

    examples = (f"steelyard {view}", example, f"steelyard {view} --columns all --format json")
    return Command(view, text, examples, add_arguments, run)


DEVICES = _command(
    "devices",
    "every device with its newest figures",
    (
        "node",
        "device_index",
        "vendor",
        "chip",
        "part",
        "origin",
        "state",
        "job",
        "busy",
        "core_active",
        "tensor_active",
        "power_w",
        "hbm_used_ratio",
        "chip_temp_c",
    ),
    "steelyard devices chip:910B2 'busy<0.2' --order -power_w",
)
NODES = _command(
    "nodes",
    "every node",
    ("node", "origin", "state", "vendors", "chips", "devices", "reporting", "cpu_busy", "power_w", "age_s"),
    "steelyard nodes state:silent",
)
JOBS = _command(
    "jobs",
    "every job",
    ("job", "scheduler", "origin", "state", "chips", "nodes", "devices", "busy", "core_active", "power_w", "since"),
    "steelyard jobs state:running --order -devices",
)
