"""`steelyard compare`: the chips side by side, and how much of the reference each of them is."""

import argparse
import io
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Final

from steelyard_proto.errors import SteelyardError
from steelyard_tui.commands import compare_files
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.share_table import table_lines, write_rows
from steelyard_tui.commands.window import add_since

if TYPE_CHECKING:
    import pyarrow as pa

    from steelyard_tui.present.glyphs import Glyphs
    from steelyard_tui.present.shares import Row

_QUANTITIES: Final = {
    "tokens_per_s_device": "tokens_per_s_device",
    "tokens_per_j": "tokens_per_j",
    "cost": "cost_per_mtoken",
}
# Heading, column, and for some what to multiply it by and to how many digits.
_CHIPS: Final = (
    ("vendor", "vendor"), ("chip", "chip"), ("part", "part"), ("origin", "origin"), ("jobs", "jobs"),
    ("units", "units"), ("workloads", "workloads"), ("tokens/s", "tokens_per_s"), ("TFLOP/s", "tflops", 1, 1),
    ("MFU %", "mfu", 100, 1), ("of peak", "mfu_basis"), ("of ceiling %", "share_of_ceiling", 100, 1),
    ("OFU %", "ofu", 100, 1), ("tokens/J", "tokens_per_j"), ("cost/Mtoken", "cost_per_mtoken"),
    ("currency", "currency"), ("step p50 ms", "step_p50_s", 1000, 0), ("step p99 ms", "step_p99_s", 1000, 0),
    ("goodput %", "goodput", 100, 1),
)  # fmt: skip
_CHIPS_NOTE: Final = (
    "tokens/s and TFLOP/s of one such part; the ceiling is what a large matrix product was measured to reach\n"
    "OFU is validated on H100 and GB200 only"
)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reference", default="H100", metavar="CHIP", help="what is 1 (default %(default)s)")
    add_since(parser)
    parser.add_argument(
        "--quantity", choices=_QUANTITIES, default="tokens_per_s_device", help="of the share (default %(default)s)"
    )
    parser.add_argument(
        "--as-run",
        action="store_true",
        help="match jobs of the same model and task whatever their precision: what a buyer meets, not the chip alone",
    )
    parser.add_argument(
        "--per", choices=("device", "package"), default="device", help="a 910C is one package of two devices"
    )
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default %(default)s")
    compare_files.add_arguments(parser)
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help="draw with ASCII alone")
    add_collector_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.file:
        return compare_files.run(arguments)
    compare_files.refuse_without_files(arguments)
    quantity = _QUANTITIES[arguments.quantity]
    unit = arguments.per if quantity == "tokens_per_s_device" else "device"
    mode = "as run" if arguments.as_run else "matched"
    with client_of(arguments) as client:
        answer = client.compare(arguments.since, quantity=quantity, mode=mode)
        chips = client.chips(arguments.since).table if arguments.format == "table" and answer.table.num_rows else None
        for fault in answer.faults:
            print(f"left out by the collector: {fault}", file=sys.stderr)
        rows = _rows(answer.table, unit, arguments.reference)
        if arguments.format != "table":
            write_rows(rows, arguments.format)
            return 0
        from steelyard_tui.present.glyphs import ASCII, UNICODE

        glyphs = ASCII if getattr(arguments, "ascii", False) else UNICODE
        lines = [line.rstrip() for line in table_lines(rows, glyphs)]
        if chips is not None and chips.num_rows:
            _write_chips(chips, glyphs)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _rows(shares: "pa.Table", unit: str, reference: str) -> "list[Row]":
    """The rows of a reference and unit, which are few of many."""
    keys = [(row["unit"], row["reference"]) for row in shares.select(["unit", "reference"]).to_pylist()]
    references = sorted({of for in_unit, of in keys if in_unit == unit})
    if reference not in references:
        told = f"jobs ran on {', '.join(references)}: choose --reference" if references else "nothing ran at all"
        raise SteelyardError(f"no job ran on {reference} in this window; {told}, or look further back")
    rows: list[Row] = []
    begin = 0
    for key, run in groupby(keys):
        count = len(list(run))
        if key == (unit, reference):
            rows += shares.slice(begin, count).to_pylist()
        begin += count
    return rows


def _write_chips(chips: "pa.Table", glyphs: "Glyphs") -> None:
    import pyarrow as pa

    from steelyard_tui.commands.formats import write_table
    from steelyard_tui.present.figures import scaled
    from steelyard_tui.workloads import rated_on

    rows = [
        {heading: scaled(row[column], *scale) if scale else row[column] for heading, column, *scale in _CHIPS}
        for row in chips.to_pylist()
    ]
    out = io.BytesIO()
    write_table(pa.Table.from_pylist(rows), "table", out)
    text = out.getvalue().decode()
    # A table draws with two signs of its own.
    ascii_signs = str.maketrans({"─": "-", "–": "-"}) if glyphs.bar.isascii() else {}
    sys.stdout.write(text.translate(ascii_signs))
    sys.stdout.write(f"{_CHIPS_NOTE}\n{rated_on(chips.to_pylist())}\n\n")


COMMAND = Command(
    name="compare",
    help="how much of a reference each chip is, on matched jobs, with its interval",
    examples=(
        "steelyard compare --reference H100",
        "steelyard compare --reference A100-80G --since 7d --quantity tokens_per_j",
        "steelyard compare --quantity cost --format json     (needs the collector's setting `prices`)",
        "steelyard compare --as-run --per package --ascii",
        "steelyard compare --file h100.log --file 910b.log --devices 8     (two logs, no collector; the first is 1)",
        "steelyard compare --file a.log --file b.log --devices a.log=8 --devices b.log=16 --tokens-per-step 4194304",
    ),
    add_arguments=_add_arguments,
    run=_run,
    needs_numpy=False,
)
