"""A training's log as the minutes that a comparison is made of: tokens and device-seconds of the steps that ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from steelyard_efficiency.within import FIRST_S, FIRST_STEPS
from steelyard_proto.errors import ConfigError
from steelyard_proto.trainlog import Pattern, Progress, read_numbered
from steelyard_tui.trainlogs.text import is_cut, read_lines

Class = Literal["productive", "first", "checkpoint", "evaluate"]

_NAMED: Final = ", ".join


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user says of a log; it goes before what the log says.

    Attributes:
        devices: that the training ran on.
        tokens_per_step: over the whole job.
    """

    devices: int | None = None
    tokens_per_step: int | None = None


@dataclass(slots=True)
class Minutes:
    """Sums by minute of the log's own time, of the steps that ended in it."""

    tokens: dict[int, float] = field(default_factory=dict)
    device_s: dict[int, float] = field(default_factory=dict)
    steps: int = 0

    def add(self, minute: int, tokens: float, device_s: float, steps: int) -> None:
        """Some steps more."""
        self.tokens[minute] = self.tokens.get(minute, 0.0) + tokens
        self.device_s[minute] = self.device_s.get(minute, 0.0) + device_s
        self.steps += steps

    @property
    def pairs(self) -> tuple[list[float], list[float]]:
        """Tokens and device-seconds, in the order of time."""
        order = sorted(self.tokens)
        return [self.tokens[minute] for minute in order], [self.device_s[minute] for minute in order]


@dataclass(frozen=True, slots=True)
class TrainLog:
    """One training as its log tells it.

    Attributes:
        label: what it is called beside the others.
        trainer: the name of the pattern that its lines have.
        devices: 1 where the log counts for one device and says no number.
        is_per_device: whether the log counts tokens for one device, so that their number takes no part.
        productive: without marked and first steps.
        whole: all of the log.
        left_out: steps that are not productive, by why.
        tells_apart: whether checkpoints and evaluations can be told from training steps in such a log.
        tokens_origin: declared, or log.
        notes: what a reader must know.
    """

    path: Path
    label: str
    trainer: str
    devices: int
    is_per_device: bool
    productive: Minutes
    whole: Minutes
    left_out: Mapping[str, int]
    tells_apart: bool
    tokens_origin: str
    sequence_length: int | None
    parameters: float | None
    global_batch: int | None
    notes: tuple[str, ...]


def read_train_log(path: Path, label: str, patterns: Sequence[Pattern], declared: Declared) -> TrainLog:
    """Reads a log.

    Args:
        path: the file.
        label: what the training is called.
        patterns: of trainers, the most telling one first.
        declared: what the user says of it.

    Raises:
        ConfigError: the file is no such log, or doesn't tell time, tokens or devices; it names line and remedy.
    """
    told = read_numbered(read_lines(path), patterns)
    if not told:
        raise _no_progress(path, patterns)
    pattern = next(pattern for pattern in patterns if pattern.name == told[0][1].pattern)
    facts = told[-1][1].facts
    scale = _scale(path, told, declared)
    productive, whole, left_out, silent = _summed(told, declared, scale)
    if not productive.tokens:
        steps = sum(progress.steps for _, progress in told)
        seconds = sum(progress.seconds for _, progress in told)
        raise ConfigError(
            f"nothing is left of its {steps} steps in {seconds:.0f} s: a process's first {FIRST_STEPS} steps or "
            f"{FIRST_S // 60} min and marked steps are left out; give a longer log",
            path=str(path),
        )
    return TrainLog(
        path=path,
        label=label,
        trainer=pattern.name,
        devices=scale.devices,
        is_per_device=scale.is_per_device,
        productive=productive,
        whole=whole,
        left_out=left_out,
        tells_apart=pattern.keeps_apart or bool(pattern.marks),
        tokens_origin="declared" if declared.tokens_per_step else "log",
        sequence_length=_whole(facts.get("sequence_length")),
        parameters=facts.get("parameters"),
        global_batch=_whole(facts.get("samples")),
        notes=tuple(_notes(path, pattern, declared, facts, silent)),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    devices: int
    is_per_device: bool


def _scale(path: Path, told: Sequence[tuple[int, Progress]], declared: Declared) -> _Scale:
    """Over how many devices a line's tokens are."""
    number, first = told[0]
    devices = declared.devices or _whole(told[-1][1].facts.get("world_size"))
    if declared.tokens_per_step is None:
        if all(progress.tokens is None and progress.device_tokens is None for _, progress in told):
            raise ConfigError(
                f"line {number}: {first.tokens_absent}; give --tokens-per-step {path.name}=N, "
                "which is the global batch times the sequence length",
                path=str(path),
            )
        if any("tokens_per_s_device" in progress.facts for _, progress in told):
            return _Scale(devices or 1, is_per_device=True)
    if not devices:
        raise ConfigError(
            f"up to line {told[-1][0]} it doesn't say on how many devices it trained; give --devices {path.name}=N",
            path=str(path),
        )
    return _Scale(devices, is_per_device=False)


def _summed(
    told: Sequence[tuple[int, Progress]], declared: Declared, scale: _Scale
) -> tuple[Minutes, Minutes, dict[str, int], int]:
    """Productive and all sums, the steps that are left out, and how many steps have no tokens."""
    productive, whole, silent = Minutes(), Minutes(), 0
    left_out: dict[str, int] = {}
    process, seconds = _Process(told[0][1]), 0.0
    for _, progress in told:
        if progress.step - progress.steps < process.last_step:
            process = _Process(progress)
        kind = process.take(progress)
        seconds += progress.seconds
        tokens = _tokens(progress, declared, scale)
        if tokens is None:
            silent += progress.steps
            continue
        amount = (int(seconds // 60), tokens, progress.seconds * (1 if scale.is_per_device else scale.devices))
        whole.add(*amount, progress.steps)
        if kind == "productive":
            productive.add(*amount, progress.steps)
        else:
            left_out[kind] = left_out.get(kind, 0) + progress.steps
    return productive, whole, left_out, silent


class _Process:
    """One run of the training's process in the log: from its start, or from a step number that fell."""

    def __init__(self, first: Progress) -> None:
        self._begin = first.step - first.steps
        self._seconds = 0.0
        self.last_step = self._begin

    def take(self, progress: Progress) -> Class:
        """What the next line's steps are."""
        # A line may tell of its last step alone: the others took about as long.
        passed = max(progress.steps, progress.step - self.last_step)
        self._seconds += progress.seconds / progress.steps * passed
        self.last_step = progress.step
        if progress.mark in ("checkpoint", "evaluate"):
            return "checkpoint" if progress.mark == "checkpoint" else "evaluate"
        is_first = progress.step - progress.steps - self._begin < FIRST_STEPS or self._seconds < FIRST_S
        return "first" if is_first or progress.mark else "productive"


def _tokens(progress: Progress, declared: Declared, scale: _Scale) -> float | None:
    if declared.tokens_per_step is not None:
        return float(declared.tokens_per_step * progress.steps)
    return progress.device_tokens if scale.is_per_device else progress.tokens


def _no_progress(path: Path, patterns: Sequence[Pattern]) -> ConfigError:
    """What is missing: a known trainer's line, a second one, or a time in them."""
    lines, found = 0, []
    for number, line in enumerate(read_lines(path), 1):
        lines = number
        found += [(number, pattern.name) for pattern in patterns if pattern.line.search(line)]
    if not found:
        return ConfigError(
            f"none of its {lines} lines is a line of progress that is known ({_NAMED(p.name for p in patterns)}); "
            "give patterns of your own with --log-patterns FILE (docs/training.md)",
            path=str(path),
        )
    number, name = found[0]
    if len({number for number, _ in found}) == 1:
        return ConfigError(
            f"line {number} is its only line of progress ({name}), and the first one only sets the clock; "
            "give a longer log",
            path=str(path),
        )
    return ConfigError(
        f"line {number}: lines of {name} like this one don't say how long a step took; "
        "let the trainer log it, or give a pattern with --log-patterns FILE (docs/training.md)",
        path=str(path),
    )


def _notes(path: Path, pattern: Pattern, declared: Declared, facts: Mapping[str, float], silent: int) -> list[str]:
    world_size = _whole(facts.get("world_size"))
    notes = []
    if pattern.step_time == "last":
        notes.append(
            f"each line of {pattern.name} tells of its last step alone: the steps between two lines don't count"
        )
    if silent:
        notes.append(f"{silent} of its steps have no tokens and are left out")
    if declared.devices and world_size and declared.devices != world_size:
        notes.append(f"its log says {world_size} devices; the {declared.devices} of --devices count")
    if is_cut(path):
        notes.append("its last line isn't whole and is left out: it was cut off, or is still being written")
    return notes


def _whole(value: float | None) -> int | None:
    return int(value) if value else None
