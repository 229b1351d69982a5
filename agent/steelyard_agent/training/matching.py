"""Who reads the lines of logs: the shipped patterns here, a user's in a child that can be ended."""

import json
import logging
import select
import subprocess
import sys
from pathlib import Path
from typing import Final, Protocol

from steelyard_agent.training.pattern_child import LINE_S
from steelyard_proto.trainlog import MAX_LINE_CHARS, LogReader, Progress, load_patterns

log = logging.getLogger(__name__)

# A child that says nothing for so long is no longer waited for.
_ANSWER_S: Final = 20.0


class LineReader(Protocol):
    """Reads one log."""

    def read(self, line: str) -> Progress | None:
        """Takes the next line; what it tells of progress, or None."""
        ...

    def read_facts(self, line: str) -> None:
        """Takes a line of the past."""
        ...


class Matcher(Protocol):
    """Makes readers."""

    def reader(self) -> LineReader:
        """One for another log."""
        ...

    def take_problem(self) -> str:
        """What the user must be told, once; empty for nothing."""
        ...

    def close(self) -> None:
        """Ends."""
        ...


class ShippedPatterns:
    """The patterns that we know to be fast."""

    def reader(self) -> LogReader:
        """One for another log."""
        return LogReader(load_patterns())

    def take_problem(self) -> str:
        """There is none."""
        return ""

    def close(self) -> None:
        """Nothing to end."""


class OwnPatterns:
    """A user's patterns. If they prove too slow they are left out for good, and the shipped ones go on."""

    def __init__(self, path: Path, *, answer_s: float = _ANSWER_S) -> None:
        """Starts the child.

        Args:
            path: the user's file.
            answer_s: how long to wait for an answer.

        Raises:
            ConfigError: the file is wrong.
        """
        load_patterns(path)
        self._path = path
        self._answer_s = answer_s
        self._problem = ""
        self._logs = 0
        command = [sys.executable, "-m", "steelyard_agent.training.pattern_child", str(path)]
        self._child: subprocess.Popen[str] | None = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def reader(self) -> "_ChildReader":
        """One for another log."""
        self._logs += 1
        return _ChildReader(self, self._logs)

    def take_problem(self) -> str:
        """Why the patterns were left out."""
        problem, self._problem = self._problem, ""
        return problem

    def close(self) -> None:
        """Ends the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    @property
    def is_usable(self) -> bool:
        """Whether the user's patterns still count."""
        return self._child is not None

    def ask(self, number: int, line: str, *, is_past: bool) -> Progress | None:
        """What the child makes of a line; None too where it is given up with this line."""
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            return None
        try:
            request = {"log": number, "line": line[:MAX_LINE_CHARS], "is_past": is_past}
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            answers = select.poll()
            answers.register(child.stdout, select.POLLIN)
            if not answers.poll(1000 * self._answer_s):
                self._give_up(f"don't come to an end within {self._answer_s:g} s")
                return None
            answer = json.loads(child.stdout.readline())
        except (OSError, ValueError) as error:
            self._give_up(f"can't be matched any more: {error}")
            return None
        if answer.get("too_slow"):
            self._give_up(f"took more than {LINE_S:g} s for a line of {len(line)} characters")
            return None
        return None if answer["told"] is None else Progress(**answer["told"])

    def _give_up(self, why: str) -> None:
        self._problem = (
            f"log_patterns {self._path} {why}; they are left out until the agent starts anew. "
            "Mend them: no repetition within a repetition, and as few of .* as can be"
        )
        log.warning("%s", self._problem)
        self.close()


class _ChildReader:
    """One log of the child's."""

    def __init__(self, patterns: OwnPatterns, number: int) -> None:
        self._patterns = patterns
        self._number = number
        self._instead: LogReader | None = None

    def read(self, line: str) -> Progress | None:
        """Takes the next line; what it tells of progress, or None."""
        if self._patterns.is_usable:
            told = self._patterns.ask(self._number, line, is_past=False)
            if self._patterns.is_usable:
                return told
        return self._shipped().read(line)

    def read_facts(self, line: str) -> None:
        """Takes a line of the past."""
        if self._patterns.is_usable:
            self._patterns.ask(self._number, line, is_past=True)
        else:
            self._shipped().read_facts(line)

    def _shipped(self) -> LogReader:
        if self._instead is None:
            self._instead = LogReader(load_patterns())
        return self._instead


def open_matcher(path: Path | None) -> Matcher:
    """The matcher of the setting `training.log_patterns`; None for the shipped patterns.

    Raises:
        ConfigError: the file is wrong.
    """
    return OwnPatterns(path) if path is not None else ShippedPatterns()
