"""`steelyard diff --file A --file B`: two recordings by operator class, and which class makes the gap."""

import argparse
import csv
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from steelyard_proto.errors import ConfigError
from steelyard_tui.commands.command import Command

if TYPE_CHECKING:
    from steelyard_traces.difference import Difference, Side

_SIDES: Final = 2


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="PATH",
        help="a recording (docs/ops.md says which); two, A then B",
    )
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parser.add_argument(
        "--flame", action="store_true", help="look through B's stacks as a flame graph, with the change from A"
    )
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help="draw with ASCII alone")
    parser.add_argument(
        "--steps",
        action="append",
        default=[],
        type=int,
        metavar="N",
        help="that a recording holds; once, or for A and B",
    )
    parser.add_argument(
        "--tokens-per-step",
        action="append",
        default=[],
        type=int,
        metavar="N",
        help="on one device: compares times per token; once, or for A and B",
    )


def _run(arguments: argparse.Namespace) -> int:
    from steelyard_tui.traces.load import load_recording

    if len(arguments.file) != _SIDES:
        raise ConfigError(f"{len(arguments.file)} recordings; give two, A then B", key="--file")
    steps = _pair(arguments.steps, "--steps")
    tokens = _pair(arguments.tokens_per_step, "--tokens-per-step")
    recordings = [load_recording(path) for path in arguments.file]
    profiles = [recording.profile for recording in recordings]
    for profile in profiles:
        for note in profile.notes:
            print(f"{profile.path}: {note}", file=sys.stderr)
    if arguments.flame:
        from steelyard_tui.flame.shown import compared, shown
        from steelyard_tui.flame_app import run_flame

        return run_flame(
            lambda: compared(*(shown(one.profile.path, one.stacks()) for one in recordings)),
            ascii_only=getattr(arguments, "ascii", False),
        )
    from steelyard_traces.difference import difference_of

    difference = difference_of(profiles[0], profiles[1], steps or (None, None), tokens)
    if arguments.format == "table":
        from steelyard_tui.present.profile_diff import difference_lines

        sys.stdout.write("\n".join(difference_lines(difference)) + "\n")
    elif arguments.format == "json":
        sys.stdout.write(json.dumps(_document(difference), indent=1, ensure_ascii=False) + "\n")
    else:
        rows = _rows(difference)
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 0


def _pair(given: list[int], key: str) -> tuple[int, int] | None:
    if not given:
        return None
    if len(given) > _SIDES or min(given) < 1:
        raise ConfigError(
            f"{', '.join(map(str, given))}: give one whole number above 0, or one for each of A and B", key=key
        )
    return given[0], given[-1]


def _rows(difference: "Difference") -> list[dict[str, Any]]:
    a, b = difference.a, difference.b
    return [
        {
            "layer": change.layer,
            "class": change.class_name,
            "a_total_ns": change.a_ns,
            "a_each_ns": float(a.each_ns(change.a_ns)),
            "a_share": change.a_ns / a.total_ns,
            "b_total_ns": change.b_ns,
            "b_each_ns": float(b.each_ns(change.b_ns)),
            "b_share": change.b_ns / b.total_ns,
            "points": float(change.points),
        }
        for change in difference.changes
    ]


def _side(side: "Side") -> dict[str, Any]:
    each_ns = float(side.each_ns(side.total_ns))
    return {"path": side.path, "total_ns": side.total_ns, "divided_by": side.divisor, "each_ns": each_ns}


def _document(difference: "Difference") -> dict[str, Any]:
    sides = {"a": _side(difference.a), "b": _side(difference.b)}
    return {**sides, "per": difference.per, "gap_percent": float(difference.gap), "by_class": _rows(difference)}


COMMAND = Command(
    name="diff",
    help="two profilers' recordings by operator class: which class makes the gap, in points that add up to it",
    examples=(
        "steelyard diff --file h100.json.gz --file mi300.json.gz",
        "steelyard diff --file before.json --file after.json --steps 3",
        "steelyard diff --file before.json --file after.json --flame",
        "steelyard diff --file a.json --file b.json --tokens-per-step 8192 --tokens-per-step 16384",
    ),
    add_arguments=_add_arguments,
    run=_run,
    notes="Times are per step where steps are marked or --steps says how many there are. A is 100 %.",
)
