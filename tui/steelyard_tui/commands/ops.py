"""`steelyard ops`: where the time of a job's windows, or of a recording, went, by class, operator and kernel."""

import argparse
import csv
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelyard_proto.errors import ConfigError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.window import seconds_of

if TYPE_CHECKING:
    from steelyard_traces.profile import Profile, Stack

FORMATS: Final = ("table", "csv", "json", "speedscope", "collapsed", "pprof")
_TOP: Final = 20


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="JOB", nargs="?", default="", help="a job, or the id of a stored profile")
    parser.add_argument("--file", metavar="PATH", help="a recording instead (docs/ops.md says which)")
    parser.add_argument("--hz", type=_above_zero, metavar="N", help="with stacks of py-spy: how often it looked")
    add_stored_arguments(parser)
    parser.add_argument(
        "--stacks",
        choices=("device", "host", "sampled"),
        help="of a stored profile, the stacks that speedscope, collapsed and pprof have (default: the first there are)",
    )
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument(
        "--flame", action="store_true", help="look through its stacks as a flame graph, on the terminal"
    )
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help="draw with ASCII alone")
    parser.add_argument(
        "--by", choices=("operator", "type", "core", "call"), help="what table and csv list (default: by operator)"
    )
    parser.add_argument("--top", type=int, default=_TOP, metavar="N", help=f"rows of the table (default {_TOP})")
    add_collector_arguments(parser)


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def add_stored_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say which of a job's windows are meant."""
    parser.add_argument(
        "--since", type=seconds_of, default="24h", metavar="SPAN", help="of a job, the windows of so long (default 24h)"
    )
    parser.add_argument("--newest", action="store_true", help="of a job, its newest window alone")


@dataclass(frozen=True, slots=True)
class Opened:
    """What is shown: its sums, how its stacks are read, its name in short; of a collector's the origin."""

    profile: "Profile"
    stacks: "Callable[[], tuple[Stack, ...]]"
    title: str
    origin: str = ""


def _run(arguments: argparse.Namespace) -> int:
    if bool(arguments.what) == bool(arguments.file):
        raise ConfigError("name a job or a profile's id, or a recording with --file", key="JOB")
    if arguments.file:
        return _show(_of_file(arguments.file, arguments.hz), arguments)
    from steelyard_tui.traces.stored import read_stored, wanted_of

    from_ms = int((time.time() - arguments.since) * 1000)
    with client_of(arguments) as client:
        stored = read_stored(client, wanted_of(arguments.what, from_ms, is_newest=arguments.newest))
        opened = Opened(stored.profile, lambda: stored.stacks(arguments.stacks), stored.profile.path, stored.origin)
        return _show(opened, arguments)


def _of_file(path: str, sampled_hz: float | None) -> Opened:
    from steelyard_tui.traces.load import load_recording

    recording = load_recording(path, sampled_hz)
    return Opened(recording.profile, recording.stacks, Path(path).name)


def _show(recording: Opened, arguments: argparse.Namespace) -> int:
    for note in recording.profile.notes:
        print(f"{recording.profile.path}: {note}", file=sys.stderr)
    if arguments.flame:
        from steelyard_tui.flame.shown import shown
        from steelyard_tui.flame_app import run_flame

        is_ascii = getattr(arguments, "ascii", False)
        return run_flame(lambda: shown(recording.title, recording.stacks()), ascii_only=is_ascii)
    _write(recording, arguments)
    return 0


def _write(recording: Opened, arguments: argparse.Namespace) -> None:
    from steelyard_tui.present.ops import default_by, profile_lines
    from steelyard_tui.traces.flame import as_collapsed, as_speedscope

    profile = recording.profile
    by = arguments.by or default_by(profile)
    if arguments.format == "json":
        from steelyard_tui.traces.load import document_of

        document = document_of(profile) | ({"origin": recording.origin} if recording.origin else {})
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    elif arguments.format == "speedscope":
        sys.stdout.write(as_speedscope(recording.stacks(), recording.title))
    elif arguments.format == "collapsed":
        sys.stdout.write(as_collapsed(recording.stacks()))
    elif arguments.format == "pprof":
        _write_pprof(recording)
    elif arguments.format == "csv":
        _write_csv(profile, by, {"origin": recording.origin} if recording.origin else {})
    else:
        from steelyard_tui.present.glyphs import ASCII, UNICODE

        ellipsis = (ASCII if getattr(arguments, "ascii", False) else UNICODE).ellipsis
        sys.stdout.write("\n".join(profile_lines(profile, by, max(arguments.top, 1), ellipsis)) + "\n")


def _write_pprof(recording: Opened) -> None:
    from steelyard_tui.traces.pprof import as_pprof

    if sys.stdout.isatty():
        raise ConfigError("pprof is no text; write it to a file: --format pprof > profile.pb.gz", key="--format")
    sys.stdout.buffer.write(as_pprof(recording.stacks()))


def _write_csv(profile: "Profile", by: str, marks: dict[str, str]) -> None:
    from steelyard_tui.present.ops import rows_of

    rows = [asdict(row) | marks for row in rows_of(profile, by)]
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


COMMAND = Command(
    name="ops",
    help="where a job's time went, or a recording's: compute, exposed communication, idle, and which operators",
    examples=(
        "steelyard ops 48213",
        "steelyard ops 48213 --newest --by type",
        "steelyard ops 6f0c1a52-8f0e-4d6e-9f6b-1d2c3b4a5e6f --format speedscope > window.speedscope.json",
        "steelyard ops --file trace.json.gz",
        "steelyard ops --file trace.json --by type --top 50",
        "steelyard ops --file trace.json --format json | jq .totals",
        "steelyard ops --file trace.json --format collapsed > stacks.txt",
        "steelyard ops --file trace.json --format pprof > trace.pb.gz",
        "steelyard ops --file trace.json --flame",
    ),
    add_arguments=_add_arguments,
    run=_run,
    notes="Times are exact to the nanosecond; what no class of operators knows is shown as unmatched, with its share.",
)
