"""`steelyard diff A B`: two jobs, profiles or recordings by operator class, and which class makes the gap."""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from steelyard_proto.errors import ConfigError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.ops import add_stored_arguments

if TYPE_CHECKING:
    from steelyard_traces.difference import Difference, Side
    from steelyard_traces.profile import Profile, Stack

_SIDES: Final = 2


@dataclass(frozen=True, slots=True)
class _Opened:
    """One side; `tokens` are of a step on one device, where they are known, `origin` of a collector's."""

    profile: "Profile"
    stacks: "Callable[[], tuple[Stack, ...]]"
    tokens: int | None = None
    origin: str = ""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="A B", nargs="*", help="two jobs, or ids of stored profiles; A, then B")
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="PATH",
        help="a recording instead (docs/ops.md says which); two, A then B",
    )
    add_stored_arguments(parser)
    parser.add_argument(
        "--per", choices=("step", "token"), help="what times are of (default: token, where both sides' are known)"
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
    add_collector_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.file and arguments.what:
        raise ConfigError("stands beside jobs or profiles; give two of one or of the other", key="--file")
    names = arguments.file or arguments.what
    if len(names) != _SIDES:
        what, key = ("recordings", "--file") if arguments.file else ("jobs or profiles", "A B")
        raise ConfigError(f"{len(names)} {what}; give two, A then B", key=key)
    steps = _pair(arguments.steps, "--steps")
    if arguments.file:
        return _show([_of_file(path) for path in arguments.file], steps, arguments)
    from steelyard_tui.traces.stored import read_stored, wanted_of

    from_ms = int((time.time() - arguments.since) * 1000)
    with client_of(arguments) as client:
        stored = [read_stored(client, wanted_of(name, from_ms, is_newest=arguments.newest)) for name in names]
        sides = [
            _Opened(one.profile, one.stacks, round(one.tokens_per_step) if one.tokens_per_step else None, one.origin)
            for one in stored
        ]
        return _show(sides, steps, arguments)


def _of_file(path: str) -> _Opened:
    from steelyard_tui.traces.load import load_recording

    recording = load_recording(path)
    return _Opened(recording.profile, recording.stacks)


def _tokens(sides: list[_Opened], arguments: argparse.Namespace) -> tuple[int, int] | None:
    """Tokens of a step of both sides, where times are wanted per token."""
    if arguments.per == "step":
        return None
    if given := _pair(arguments.tokens_per_step, "--tokens-per-step"):
        return given
    a, b = (side.tokens for side in sides)
    if a and b:
        return a, b
    if arguments.per == "token":
        lacking = " and ".join(side.profile.path for side in sides if not side.tokens)
        raise ConfigError(f"the tokens of a step aren't known of {lacking}; give --tokens-per-step", key="--per")
    return None


def _show(sides: list[_Opened], steps: tuple[int, int] | None, arguments: argparse.Namespace) -> int:
    profiles = [side.profile for side in sides]
    for profile in profiles:
        for note in profile.notes:
            print(f"{profile.path}: {note}", file=sys.stderr)
    if arguments.flame:
        from steelyard_tui.flame.shown import compared, shown
        from steelyard_tui.flame_app import run_flame

        return run_flame(
            lambda: compared(*(shown(one.profile.path, one.stacks()) for one in sides)),
            ascii_only=getattr(arguments, "ascii", False),
        )
    tokens = _tokens(sides, arguments)
    from steelyard_traces.difference import difference_of

    difference = difference_of(profiles[0], profiles[1], steps or (None, None), tokens)
    if arguments.format == "table":
        from steelyard_tui.present.profile_diff import difference_lines

        sys.stdout.write("\n".join(difference_lines(difference)) + "\n")
    elif arguments.format == "json":
        sys.stdout.write(json.dumps(_document(difference, sides), indent=1, ensure_ascii=False) + "\n")
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


def _document(difference: "Difference", opened: list[_Opened]) -> dict[str, Any]:
    origins = ({"origin": one.origin} if one.origin else {} for one in opened)
    sides = dict(zip("ab", (_side(difference.a), _side(difference.b)), strict=True))
    sides = {name: side | origin for (name, side), origin in zip(sides.items(), origins, strict=True)}
    return {**sides, "per": difference.per, "gap_percent": float(difference.gap), "by_class": _rows(difference)}


COMMAND = Command(
    name="diff",
    help="two jobs or recordings by operator class: which class makes the gap, in points that add up to it",
    examples=(
        "steelyard diff 48213 48377",
        "steelyard diff 48213 48377 --newest --per step",
        "steelyard diff --file h100.json.gz --file mi300.json.gz",
        "steelyard diff --file before.json --file after.json --steps 3",
        "steelyard diff --file before.json --file after.json --flame",
        "steelyard diff --file a.json --file b.json --tokens-per-step 8192 --tokens-per-step 16384",
    ),
    add_arguments=_add_arguments,
    run=_run,
    notes=(
        "Times are per token where both jobs' tokens are known, else per step where steps are marked or --steps says\n"
        "how many there are. A is 100 %."
    ),
)
