"""Shares as text and as rows, for a comparison of the fleet and of logs alike."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from steelyard_tui.present.glyphs import Glyphs
    from steelyard_tui.present.shares import Row

_BAR_CELLS: Final = 44
_LEAST_NAME: Final = 14
_MOST_LISTED: Final = 6


def table_lines(rows: Sequence["Row"], glyphs: "Glyphs") -> Iterator[str]:
    """The comparison as text: a block a chip, the largest share first."""
    from steelyard_tui.present.shares import UNITS, window_text

    bars = shown_rows(rows)
    first = bars[0]
    of = UNITS[first["quantity"]].replace("device", first["unit"])
    yield f"share of {first['reference']} in {of}, {window_text(first)}"
    yield f"{'AS RUN: ' if first['mode'] == 'as run' else ''}matched on {', '.join(first['matched_on'])}"
    yield from _origin_notes(bars, glyphs)
    yield ""
    yield from bar_lines(rows, glyphs)


def shown_rows(rows: Iterable["Row"]) -> list["Row"]:
    """Those that a bar shows, the largest share first."""
    return sorted(
        (row for row in rows if row["is_shown"]), key=lambda row: (-(row["ratio"] or 0.0), row["chip"], row["origin"])
    )


def bar_lines(rows: Sequence["Row"], glyphs: "Glyphs") -> Iterator[str]:
    """A block for each bar: the bar, how many jobs, workloads, warnings, and what is left out."""
    from steelyard_tui.present.figures import chip_name, origin_mark, vendor_glyph
    from steelyard_tui.present.line import plain, width_of
    from steelyard_tui.present.shares import jobs_text, scale_of, share_bar, share_text

    bars = shown_rows(rows)
    scale = scale_of(bars)
    signs = [vendor_glyph(row["vendor"], glyphs) for row in bars]
    chips = [f"{chip_name(row['chip'], row['vendor'])} {origin_mark(row['origin'], glyphs)}" for row in bars]
    names = [f"{sign} {chip}".rstrip() for sign, chip in zip(signs, chips, strict=True)]
    width = max([_LEAST_NAME, *(width_of(name) + 1 for name in names)])
    for row, name in zip(bars, names, strict=True):
        bar = plain(share_bar(row, scale, _BAR_CELLS, glyphs))
        yield f"{name}{' ' * (width - width_of(name))}{bar}  {share_text(row, row['unit'] + 's')}"
        if row["n_a"]:
            yield f"{'':14}{jobs_text(row)}"
        yield from _dots(rows, row, glyphs)
        yield from (f"{'':14}{glyphs.warn} {text}" for text in row["warnings"])
        yield from _listed("left out", row["excluded"])
        yield ""
    shown = sum(row["lo"] is not None for row in bars)
    if shown > 1:
        yield f"{shown} intervals of 95 %: about {shown * 0.05:.2g} of them miss"


def _origin_notes(bars: Iterable["Row"], glyphs: "Glyphs") -> Iterator[str]:
    origins = {row["origin"] for row in bars}
    if "simulated" in origins:
        yield f"SIMULATED: such devices and jobs don't exist; marked {glyphs.simulated}"
    if "replayed" in origins:
        yield f"REPLAYED: recorded before; marked {glyphs.replayed}"


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


def write_rows(rows: Sequence["Row"], format_name: str) -> None:
    """As JSON or CSV; a list is one cell of CSV."""
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
