"""`steelyard compare`: the chips side by side, and how much of the reference each of them is."""

import argparse
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from steelyard_proto.errors import SteelyardError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.window import add_since
from steelyard_tui.queries import read_query

if TYPE_CHECKING:
    import pyarrow as pa

    from steelyard_tui.client import Client
    from steelyard_tui.present.glyphs import Glyphs
    from steelyard_tui.present.shares import Row

_QUANTITIES: Final = {
    "tokens_per_s_device": "tokens_per_s_device",
    "tokens_per_j": "tokens_per_j",
    "cost": "cost_per_mtoken",
}
_BAR_CELLS: Final = 44
_MOST_LISTED: Final = 6
_MOST_MINUTES_S: Final = 48 * 3600
_CHIPS_NOTE: Final = (
    "tokens/s of one such part; rates and step times only of chips that ran one workload\n"
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
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help="draw with ASCII alone")
    add_collector_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    quantity = _QUANTITIES[arguments.quantity]
    unit = arguments.per if quantity == "tokens_per_s_device" else "device"
    mode = "as run" if arguments.as_run else "matched"
    with client_of(arguments) as client:
        answer = client.compare(arguments.since, quantity=quantity, mode=mode)
        chips = _chips(client, answer.table) if arguments.format == "table" else None
    for fault in answer.faults:
        print(f"left out by the collector: {fault}", file=sys.stderr)
    rows = [row for row in answer.table.to_pylist() if row["unit"] == unit]
    references = sorted({row["reference"] for row in rows})
    if arguments.reference not in references:
        told = f"jobs ran on {', '.join(references)}: choose --reference" if references else "nothing ran at all"
        raise SteelyardError(f"no job ran on {arguments.reference} in this window; {told}, or look further back")
    rows = [row for row in rows if row["reference"] == arguments.reference]
    if arguments.format == "table":
        from steelyard_tui.present.glyphs import ASCII, UNICODE

        glyphs = ASCII if getattr(arguments, "ascii", False) else UNICODE
        if chips is not None:
            _write_chips(chips, glyphs)
        sys.stdout.write("\n".join(line.rstrip() for line in table_lines(rows, glyphs)) + "\n")
    else:
        _write_rows(rows, arguments.format)
    return 0


def _chips(client: "Client", shares: "pa.Table") -> "pa.Table | None":
    """The chips' own figures over the window of the shares; None where nothing ran."""
    if shares.num_rows == 0:
        return None
    begin, end = (shares[name][0].as_py() for name in ("from_ts", "to_ts"))
    parameters = {
        # Minutes are kept for so long, and cost more.
        "level": "1m" if (end - begin).total_seconds() <= _MOST_MINUTES_S else "1h",
        "from_ms": str(round(1000 * begin.timestamp())),
        "to_ms": str(round(1000 * end.timestamp())),
    }
    return client.sql(read_query("compare_chips"), parameters).table


def _write_chips(chips: "pa.Table", glyphs: "Glyphs") -> None:
    from steelyard_tui.commands.formats import write_table

    out = io.BytesIO()
    write_table(chips, "table", out)
    text = out.getvalue().decode()
    # A table draws with two signs of its own.
    ascii_signs = str.maketrans({"─": "-", "–": "-"}) if glyphs.bar.isascii() else {}
    sys.stdout.write(text.translate(ascii_signs))
    sys.stdout.write(f"{_CHIPS_NOTE}\n\n")


def table_lines(rows: Sequence["Row"], glyphs: "Glyphs") -> Iterator[str]:
    """The comparison as text: a block a chip, the largest share first."""
    from steelyard_tui.present.figures import chip_name, vendor_glyph
    from steelyard_tui.present.line import plain
    from steelyard_tui.present.shares import UNITS, jobs_text, scale_of, share_bar, share_text, window_text

    bars = sorted(
        (row for row in rows if row["is_shown"]), key=lambda row: (-(row["ratio"] or 0.0), row["chip"], row["origin"])
    )
    first = bars[0]
    of = UNITS[first["quantity"]].replace("device", first["unit"])
    yield f"share of {first['reference']} in {of}, {window_text(first)}"
    yield f"{'AS RUN: ' if first['mode'] == 'as run' else ''}matched on {', '.join(first['matched_on'])}"
    yield from _origin_notes(bars)
    yield ""
    scale = scale_of(bars)
    for row in bars:
        name = f"{vendor_glyph(row['vendor'], glyphs)} {chip_name(row['chip'], row['vendor'])}"
        yield f"{name:<14}{plain(share_bar(row, scale, _BAR_CELLS, glyphs))}  {share_text(row, row['unit'] + 's')}"
        if row["n_a"]:
            yield f"{'':14}{jobs_text(row)}"
        yield from _dots(rows, row, glyphs)
        yield from (f"{'':14}{glyphs.warn} {text}" for text in row["warnings"])
        yield from _listed("left out", row["excluded"])
        yield ""
    shown = sum(row["lo"] is not None for row in bars)
    if shown > 1:
        yield f"{shown} intervals of 95 %: about {shown * 0.05:.2g} of them miss"


def _origin_notes(bars: Iterable["Row"]) -> Iterator[str]:
    origins = {row["origin"] for row in bars}
    if "simulated" in origins:
        yield "SIMULATED: such devices and jobs don't exist"
    if "replayed" in origins:
        yield "REPLAYED: recorded before"


def _dots(rows: Iterable["Row"], bar: "Row", glyphs: "Glyphs") -> Iterator[str]:
    """One line a workload, where there are several: a single number hides how much they differ."""
    dots = [
        row
        for row in rows
        if row["scope"] == "workload" and row["chip"] == bar["chip"] and row["origin"] == bar["origin"]
    ]
    if len(dots) < 2:
        return
    for row in sorted(dots, key=lambda row: -row["ratio"])[:_MOST_LISTED]:
        interval = "" if row["lo"] is None else f" [{row['lo']:.2f}, {row['hi']:.2f}]"
        yield f"{'':14}{row['ratio']:.2f}{interval} {row['workload']} ({row['n_a']} {glyphs.times} {row['n_r']} jobs)"
    if len(dots) > _MOST_LISTED:
        yield f"{'':14}and {len(dots) - _MOST_LISTED} workloads more; --format json has all"


def _listed(title: str, texts: Sequence[str]) -> Iterator[str]:
    yield from (f"{'':14}{title}: {text}" for text in texts[:_MOST_LISTED])
    if len(texts) > _MOST_LISTED:
        yield f"{'':14}and {len(texts) - _MOST_LISTED} more"


def _write_rows(rows: Sequence["Row"], format_name: str) -> None:
    import pyarrow as pa

    from steelyard_tui.commands.formats import write_table

    plain = [
        {
            name: "; ".join(value) if isinstance(value, list) and format_name == "csv" else value
            for name, value in row.items()
        }
        for row in rows
    ]
    write_table(pa.Table.from_pylist(plain), format_name, sys.stdout.buffer)


COMMAND = Command(
    name="compare",
    help="how much of a reference each chip is, on matched jobs, with its interval",
    examples=(
        "steelyard compare --reference H100",
        "steelyard compare --reference A100-80G --since 7d --quantity tokens_per_j",
        "steelyard compare --quantity cost --format json     (needs the collector's setting `prices`)",
        "steelyard compare --as-run --per package --ascii",
    ),
    add_arguments=_add_arguments,
    run=_run,
)
