"""What the log lines of trainers tell of steps, time and tokens, by the patterns of trainlog.toml. Pure."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast

from steelyard_proto.errors import ConfigError

# Longer lines are cut: no trainer's line of progress is longer, and a regular expression's time grows with its text.
MAX_LINE_CHARS: Final = 4096
NAMES: Final = (
    "step", "step_ms", "step_s", "elapsed", "elapsed_s", "samples", "samples_per_s", "consumed_samples",
    "sequence_length", "tokens_per_step", "total_tokens", "tokens_per_s", "tokens_per_s_device", "world_size",
    "parameters", "loss",
)  # fmt: skip
MARKS: Final = ("checkpoint", "evaluate", "warmup")
_KEYS: Final = {"name", "line", "step_time", "keeps_apart", "when", "time", "fields", "facts", "marks"}
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_CLOCK: Final = re.compile(r"(?:(\d+) days?, )?(?:(\d+):)?(\d+):(\d+)")
# What no training reaches is nonsense.
_MOST: Final = 1e18


@dataclass(frozen=True, slots=True)
class Pattern:
    """One trainer's lines; the fields are explained at the top of trainlog.toml."""

    name: str
    line: re.Pattern[str]
    step_time: Literal["mean", "last"]
    fields: Mapping[str, re.Pattern[str]]
    facts: Mapping[str, re.Pattern[str]]
    marks: Mapping[str, re.Pattern[str]]
    when: re.Pattern[str] | None = None
    time: str = ""
    keeps_apart: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """What one line of progress tells, since the one before.

    Attributes:
        pattern: the trainer's name.
        step: number of the last step.
        steps: how many steps `seconds` and the tokens are of.
        seconds: time of these steps.
        tokens: of the whole job in these steps; None where they aren't known, for the reason in `tokens_absent`.
        device_tokens: of one device in these steps; None where they aren't known.
        loss: as the line tells it; None where it doesn't.
        mark: checkpoint, evaluate or warmup where the time is not the training's alone.
    """

    pattern: str
    step: int
    steps: int
    seconds: float
    tokens: int | None
    device_tokens: float | None
    tokens_absent: str
    mark: str
    facts: Mapping[str, float]
    loss: float | None = None


@dataclass(slots=True)
class _State:
    """One pattern in one log."""

    facts: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    fallen_to: float | None = None
    mark: str = ""


class LogReader:
    """Reads one log, line by line. The first line of progress only sets the clock, as a training's first step does."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        """Args: the patterns, the most telling one first."""
        self._patterns = patterns
        self._states = [_State() for _ in patterns]
        self._best = len(patterns)

    @property
    def facts(self) -> Mapping[str, float]:
        """What is known so far, by the names of trainlog.toml."""
        return dict(self._states[self._best].facts) if self._best < len(self._states) else {}

    def read(self, line: str) -> Progress | None:
        """Takes the next line; what it tells of progress, or None."""
        line = _COLOURS.sub("", line[:MAX_LINE_CHARS])
        for place, pattern in enumerate(self._patterns[: self._best + 1]):
            state = self._states[place]
            found = pattern.line.search(line)
            if found is None:
                _note(pattern, state, line)
                continue
            self._best = place
            told = _told(pattern, state, found, line)
            return None if told is None else _advance(pattern, state, told)
        return None

    def read_facts(self, line: str) -> None:
        """Takes a line of the past: what it tells of the training counts, its progress doesn't."""
        line = _COLOURS.sub("", line[:MAX_LINE_CHARS])
        for pattern, state in zip(self._patterns, self._states, strict=True):
            _note(pattern, state, line)
            state.mark = ""


def read_log(lines: Iterable[str], patterns: Sequence[Pattern]) -> list[Progress]:
    """All progress of a whole log, by the one pattern of those that match which stands first."""
    return [told for _, told in read_numbered(lines, patterns)]


def read_numbered(lines: Iterable[str], patterns: Sequence[Pattern]) -> list[tuple[int, Progress]]:
    """The same with the number of each line, from 1."""
    reader = LogReader(patterns)
    found = [(number, told) for number, line in enumerate(lines, 1) if (told := reader.read(line)) is not None]
    order = {pattern.name: place for place, pattern in enumerate(patterns)}
    best = min((order[told.pattern] for _, told in found), default=0)
    return [(number, told) for number, told in found if order[told.pattern] == best]


def _note(pattern: Pattern, state: _State, line: str) -> None:
    for name, expression in pattern.facts.items():
        value = _number(name, expression.search(line))
        if value is not None:
            state.facts[name] = value
    for mark, expression in pattern.marks.items():
        if expression.search(line):
            state.mark = mark


def _told(pattern: Pattern, state: _State, found: re.Match[str], line: str) -> dict[str, float] | None:
    told = dict(state.facts)
    if "step" in pattern.line.groupindex:
        told["step"] = float(found["step"])
    for name, expression in pattern.fields.items():
        value = _number(name, expression.search(line))
        if value is not None:
            told[name] = value
    for mark, expression in pattern.marks.items():
        if expression.search(line):
            state.mark = mark
    when = pattern.when.search(line) if pattern.when is not None else None
    if when is not None:
        try:
            told["time"] = datetime.strptime(when[1], pattern.time).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None
    return told if 0 < told.get("step", -1.0) < _MOST or told.get("step") == 0 else None


def _advance(pattern: Pattern, state: _State, told: dict[str, float]) -> Progress | None:
    before = state.last
    if before and told["step"] <= before["step"]:
        # Every rank may write the line, and late ones write it late; a restart goes on from where it fell to.
        if told["step"] == before["step"] or state.fallen_to is None or told["step"] <= state.fallen_to:
            state.fallen_to = min(told["step"], state.fallen_to or told["step"])
            return None
        before = {}
    state.fallen_to = None
    mark, state.mark = state.mark, ""
    steps = int(told["step"] - before["step"]) if before else 0
    seconds = _seconds(pattern, told, before, steps) if before else None
    if before and not seconds:
        # A clock of whole seconds hasn't moved yet: the next line tells of these steps too.
        state.mark = mark
        return None
    state.last = told
    if not before or seconds is None:
        return None
    if pattern.step_time == "last":
        steps = 1
    tokens, absent = _tokens(told, before, steps, seconds, is_all=pattern.step_time == "mean")
    return Progress(
        pattern=pattern.name,
        step=int(told["step"]),
        steps=steps,
        seconds=seconds,
        tokens=tokens,
        device_tokens=_device_tokens(told, tokens, seconds),
        tokens_absent=absent,
        mark=mark,
        facts=dict(told),
        loss=told.get("loss"),
    )


def _seconds(pattern: Pattern, told: Mapping[str, float], before: Mapping[str, float], steps: int) -> float | None:
    one_s = told["step_ms"] / 1000 if "step_ms" in told else told.get("step_s")
    if one_s is None and pattern.step_time == "last" and "samples" in told and told.get("samples_per_s"):
        one_s = told["samples"] / told["samples_per_s"]
    if one_s is not None:
        return one_s * (steps if pattern.step_time == "mean" else 1)
    for name in ("elapsed_s", "elapsed", "time"):
        if name in told and name in before:
            return max(0.0, told[name] - before[name])
    return None


def _tokens(
    told: Mapping[str, float], before: Mapping[str, float], steps: int, seconds: float, *, is_all: bool
) -> tuple[int | None, str]:
    """Tokens of the whole job, from the most exact figure that there is; `is_all`: of all steps since the last line."""
    if is_all and "total_tokens" in told and "total_tokens" in before:
        if told["total_tokens"] > before["total_tokens"]:
            return int(told["total_tokens"] - before["total_tokens"]), ""
        return None, "the log's total of tokens doesn't grow"
    if "tokens_per_step" in told:
        return int(told["tokens_per_step"]) * steps, ""
    if "tokens_per_s" in told:
        return round(told["tokens_per_s"] * seconds), ""
    samples = told["samples"] * steps if "samples" in told else None
    if is_all and told.get("consumed_samples", 0) > before.get("consumed_samples", _MOST):
        samples = told["consumed_samples"] - before["consumed_samples"]
    if samples is None and "samples_per_s" in told:
        samples = told["samples_per_s"] * seconds
    if samples is None:
        return None, "the log doesn't say how many sequences a step has"
    if "sequence_length" not in told:
        return None, "the log doesn't say how long a sequence is"
    return round(samples * told["sequence_length"]), ""


def _device_tokens(told: Mapping[str, float], tokens: int | None, seconds: float) -> float | None:
    if "tokens_per_s_device" in told:
        return told["tokens_per_s_device"] * seconds
    return tokens / told["world_size"] if tokens is not None and told.get("world_size") else None


def _number(name: str, found: re.Match[str] | None) -> float | None:
    """The value of a group; None where it is not there or nonsense."""
    if found is None or found[1] is None:
        return None
    text = found[1]
    if name == "elapsed":
        clock = _CLOCK.fullmatch(text)
        if clock is None:
            return None
        days, hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    try:
        value = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return None
    return value if 0 <= value < _MOST else None


def load_patterns(override: Path | None = None) -> list[Pattern]:
    """The shipped patterns; those of a user's file go before them, and replace those of the same name.

    Raises:
        ConfigError: a file can't be read, or a pattern has an unknown key, name or a broken expression.
    """
    shipped = _shipped()
    if override is None:
        return list(shipped)
    try:
        text = override.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}", path=str(override)) from error
    own = parse_patterns(text, path=str(override))
    names = {pattern.name for pattern in own}
    return own + [pattern for pattern in shipped if pattern.name not in names]


@cache
def _shipped() -> tuple[Pattern, ...]:
    text = Path(__file__).with_name("trainlog.toml").read_text(encoding="utf-8")
    return tuple(parse_patterns(text, path="trainlog.toml"))


def parse_patterns(text: str, *, path: str) -> list[Pattern]:
    """Reads a file of patterns; see `load_patterns` for the errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", path=path) from error
    if unknown := sorted(document.keys() - {"pattern"}):
        raise ConfigError("is no table of this file; write [[pattern]]", path=path, key=unknown[0])
    entries = document.get("pattern", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError("must be a list; write [[pattern]]", path=path, key="pattern")
    return [_pattern(entry, path) for entry in entries]


def _pattern(entry: Mapping[str, object], path: str) -> Pattern:
    name = str(entry.get("name", ""))
    if not name:
        raise ConfigError('a pattern has no name; write name = "..."', path=path, key="pattern")
    if unknown := sorted(entry.keys() - _KEYS):
        raise ConfigError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}", path=path, key=name)
    if entry.get("step_time") not in ("mean", "last"):
        raise ConfigError(f"step_time is {entry.get('step_time')!r}; write mean or last", path=path, key=name)
    if not isinstance(entry.get("keeps_apart", False), bool):
        raise ConfigError(f"keeps_apart is {entry['keeps_apart']!r}; write true or false", path=path, key=name)
    line = _expression(entry.get("line"), path, name, "line")
    fields, facts = (_table(entry, key, NAMES, path, name) for key in ("fields", "facts"))
    if "step" not in line.groupindex and "step" not in {**fields, **facts}:
        raise ConfigError(
            "has no step; give line a group (?P<step>...), or fields or facts a step", path=path, key=name
        )
    when = entry.get("when")
    if (when is None) != (entry.get("time") is None):
        raise ConfigError("when and time go together; one is missing", path=path, key=name)
    return Pattern(
        name=name,
        line=line,
        step_time=cast("Literal['mean', 'last']", entry["step_time"]),
        fields=fields,
        facts=facts,
        marks=_table(entry, "marks", MARKS, path, name, groups=0),
        when=None if when is None else _expression(when, path, name, "when", groups=1),
        time=str(entry.get("time", "")),
        keeps_apart=entry.get("keeps_apart", False) is True,
    )


def _table(
    entry: Mapping[str, object], key: str, known: Sequence[str], path: str, name: str, groups: int = 1
) -> dict[str, re.Pattern[str]]:
    table = entry.get(key, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{key} is {table!r}; write a table [pattern.{key}]", path=path, key=name)
    if unknown := sorted(table.keys() - set(known)):
        raise ConfigError(f"{key} has {unknown[0]!r}; known are {', '.join(known)}", path=path, key=name)
    return {what: _expression(text, path, name, f"{key}.{what}", groups=groups) for what, text in table.items()}


def _expression(text: object, path: str, name: str, key: str, groups: int = 0) -> re.Pattern[str]:
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{key} is {text!r}; write a regular expression in quotes", path=path, key=name)
    try:
        expression = re.compile(text)
    except re.error as error:
        raise ConfigError(f"{key} is no regular expression: {error}", path=path, key=name) from error
    if expression.groups < groups:
        raise ConfigError(f"{key} has no group; put parentheses around the figure", path=path, key=name)
    return expression
