"""`steelyard compare --file`: training logs against one of them, without a collector."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelyard_proto.errors import ConfigError
from steelyard_tui.commands.share_table import bar_lines, write_rows

if TYPE_CHECKING:
    from steelyard_tui.present.glyphs import Glyphs
    from steelyard_tui.present.shares import Row
    from steelyard_tui.trainlogs.read import TrainLog

_COLUMNS: Final = ("log", "trainer", "devices", "steps counted", "left out", "tokens/s/device", "s a step")
_OTHERS_ONLY: Final = {"quantity": "tokens_per_s_device", "per": "device", "as_run": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of a comparison of logs."""
    group = parser.add_argument_group("training logs instead of a collector")
    group.add_argument(
        "--file", action="append", default=[], metavar="LOG", help="a training's log; at least two, the first is 1"
    )
    group.add_argument("--reference-file", metavar="LOG", help="another of them is 1")
    group.add_argument(
        "--devices", action="append", default=[], metavar="[LOG=]N", help="that a training ran on, or all of them"
    )
    group.add_argument(
        "--tokens-per-step",
        action="append",
        default=[],
        metavar="[LOG=]N",
        help="over the whole job: global batch x sequence length; goes before what the log says",
    )
    group.add_argument("--log-patterns", metavar="FILE", help="lines of trainers of your own (docs/training.md)")


def refuse_without_files(arguments: argparse.Namespace) -> None:
    """Raises ConfigError where flags of logs are given and no log is."""
    for flag in ("reference_file", "devices", "tokens_per_step", "log_patterns"):
        if getattr(arguments, flag):
            raise ConfigError("is for training logs; name them with --file", key=f"--{flag.replace('_', '-')}")


def run(arguments: argparse.Namespace) -> int:
    """Compares the logs; raises ConfigError where one can't be compared."""
    from steelyard_tui.trainlogs.compare import compare_logs

    for name, default in _OTHERS_ONLY.items():
        if getattr(arguments, name) != default:
            key = f"--{name.replace('_', '-')}"
            raise ConfigError("a log knows of tokens and time alone: leave it out with --file", key=key)
    logs = _read_all(arguments)
    reference = logs[_place(arguments.reference_file or arguments.file[0], _names(arguments.file), "--reference-file")]
    rows = compare_logs(logs, reference)
    for log in logs:
        for note in log.notes:
            print(f"{log.path}: {note}", file=sys.stderr)
    if arguments.format != "table":
        write_rows(rows, arguments.format)
        return 0
    from steelyard_tui.present.glyphs import ASCII, UNICODE

    glyphs = ASCII if getattr(arguments, "ascii", False) else UNICODE
    text = "\n".join(line.rstrip() for line in _lines(logs, reference, rows, glyphs))
    sys.stdout.write(text + "\n")
    return 0


def _read_all(arguments: argparse.Namespace) -> "list[TrainLog]":
    from steelyard_proto.trainlog import load_patterns
    from steelyard_tui.trainlogs.read import Declared, read_train_log

    names = _names(arguments.file)
    if len(names) < 2:
        raise ConfigError(f"there is only {arguments.file[0]}; give --file at least twice", key="--file")
    if twice := [name for name, times in Counter(arguments.file).items() if times > 1]:
        raise ConfigError(f"{twice[0]} is given twice; a training is compared with others", key="--file")
    devices = _declared(arguments.devices, names, "--devices")
    tokens = _declared(arguments.tokens_per_step, names, "--tokens-per-step")
    patterns = load_patterns(Path(arguments.log_patterns) if arguments.log_patterns else None)
    stems = Counter(Path(name).stem for name in arguments.file)
    return [
        read_train_log(
            Path(name),
            Path(name).stem if stems[Path(name).stem] == 1 else name,
            patterns,
            Declared(devices.get(place), tokens.get(place)),
        )
        for place, name in enumerate(arguments.file)
    ]


def _names(files: Sequence[str]) -> list[set[str]]:
    """By what each file may be called."""
    return [{name, Path(name).name, Path(name).stem} for name in files]


def _place(called: str, names: Sequence[set[str]], key: str) -> int:
    places = [place for place, known in enumerate(names) if called in known]
    if len(places) == 1:
        return places[0]
    files = ", ".join(sorted(max(known, key=len) for known in names))
    if not places:
        raise ConfigError(f"{called!r} is none of the files; they are {files}", key=key)
    raise ConfigError(f"{called!r} may be several of {files}; write the path as it stands after --file", key=key)


def _declared(texts: Sequence[str], names: Sequence[set[str]], key: str) -> Mapping[int, int]:
    """By place, N of `LOG=N`; a plain `N` is for all that have none of their own."""
    own: dict[int, int] = {}
    for_all: dict[int, int] = {}
    for text in texts:
        called, equals, number = text.rpartition("=")
        value = _positive(number, text, key)
        if equals:
            own[_place(called, names, key)] = value
        else:
            for_all = dict.fromkeys(range(len(names)), value)
    return for_all | own


def _positive(number: str, text: str, key: str) -> int:
    try:
        value = float(number.replace("_", ""))
    except ValueError:
        value = 0.0
    if not (1 <= value < 1e15 and value == int(value)):
        raise ConfigError(f"is {text!r}; give a whole number, or LOG=NUMBER for one of the logs", key=key)
    return int(value)


def _lines(logs: "Sequence[TrainLog]", reference: "TrainLog", rows: Sequence["Row"], glyphs: "Glyphs") -> Iterator[str]:
    yield from _table([[*_COLUMNS], *(_cells(log, glyphs) for log in logs)])
    yield "productive time: without marked steps, and a process's first 20 steps or 5 minutes"
    yield ""
    yield f"share of {reference.label} in tokens/s per device, by {len(logs)} training logs"
    yield f"matched on {', '.join(rows[0]['matched_on'])}"
    yield ""
    yield from bar_lines(rows, glyphs)


def _cells(log: "TrainLog", glyphs: "Glyphs") -> list[str]:
    from steelyard_proto.units import format_value
    from steelyard_tui.present.figures import count
    from steelyard_tui.trainlogs.compare import figure_of

    figure = figure_of(log.productive)
    tokens, device_s = log.productive.pairs
    seconds = sum(device_s) / (1 if log.is_per_device else log.devices)
    left = ", ".join(f"{number} {kind}" for kind, number in sorted(log.left_out.items())) or "none"
    return [
        log.label,
        log.trainer,
        "a device's own" if log.is_per_device else count(log.devices),
        count(log.productive.steps),
        left,
        glyphs.absent if figure is None else format_value(figure.ratio, "count"),
        format_value(seconds / log.productive.steps, "s", with_unit=False) if tokens else glyphs.absent,
    ]


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    align: list[Callable[[str, int], str]] = [
        str.ljust,
        str.ljust,
        str.rjust,
        str.rjust,
        str.ljust,
        str.rjust,
        str.rjust,
    ]
    for row in rows:
        yield "  ".join(put(cell, width) for cell, width, put in zip(row, widths, align, strict=True))
