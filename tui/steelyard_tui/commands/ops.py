"""`steelyard ops --file`: where the time of a recording went, by class, operator and kernel, without a collector."""

import argparse
import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelyard_tui.commands.command import Command

if TYPE_CHECKING:
    from steelyard_traces.profile import Profile
    from steelyard_traces.reading import Recording

FORMATS: Final = ("table", "csv", "json", "speedscope", "collapsed")
_TOP: Final = 20


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", metavar="PATH", required=True, help="a recording (docs/ops.md says which)")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument(
        "--flame", action="store_true", help="look through its stacks as a flame graph, on the terminal"
    )
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help="draw with ASCII alone")
    parser.add_argument(
        "--by", choices=("operator", "type", "core", "call"), help="what table and csv list (default: by operator)"
    )
    parser.add_argument("--top", type=int, default=_TOP, metavar="N", help=f"rows of the table (default {_TOP})")


def _run(arguments: argparse.Namespace) -> int:
    from steelyard_tui.traces.load import load_recording

    recording = load_recording(arguments.file)
    for note in recording.profile.notes:
        print(f"{arguments.file}: {note}", file=sys.stderr)
    if arguments.flame:
        from steelyard_tui.flame.shown import shown
        from steelyard_tui.flame_app import run_flame

        is_ascii = getattr(arguments, "ascii", False)
        return run_flame(lambda: shown(Path(arguments.file).name, recording.stacks()), ascii_only=is_ascii)
    _write(recording, arguments)
    return 0


def _write(recording: "Recording", arguments: argparse.Namespace) -> None:
    from steelyard_tui.present.ops import default_by, profile_lines
    from steelyard_tui.traces.flame import as_collapsed, as_speedscope

    profile = recording.profile
    by = arguments.by or default_by(profile)
    if arguments.format == "json":
        from steelyard_traces.document import as_document

        sys.stdout.write(json.dumps(as_document(profile), indent=1, ensure_ascii=False) + "\n")
    elif arguments.format == "speedscope":
        sys.stdout.write(as_speedscope(recording.stacks(), arguments.file))
    elif arguments.format == "collapsed":
        sys.stdout.write(as_collapsed(recording.stacks()))
    elif arguments.format == "csv":
        _write_csv(profile, by)
    else:
        from steelyard_tui.present.glyphs import ASCII, UNICODE

        ellipsis = (ASCII if getattr(arguments, "ascii", False) else UNICODE).ellipsis
        sys.stdout.write("\n".join(profile_lines(profile, by, max(arguments.top, 1), ellipsis)) + "\n")


def _write_csv(profile: "Profile", by: str) -> None:
    from steelyard_tui.present.ops import rows_of

    rows = [asdict(row) for row in rows_of(profile, by)]
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


COMMAND = Command(
    name="ops",
    help="where the time of a profiler's recording went: compute, exposed communication, idle, and which operators",
    examples=(
        "steelyard ops --file trace.json.gz",
        "steelyard ops --file trace.json --by type --top 50",
        "steelyard ops --file trace.json --format json | jq .totals",
        "steelyard ops --file trace.json --format collapsed > stacks.txt",
        "steelyard ops --file trace.json --flame",
    ),
    add_arguments=_add_arguments,
    run=_run,
    notes="Times are exact to the nanosecond; what no class of operators knows is shown as unmatched, with its share.",
)
