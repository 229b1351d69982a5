"""The child that matches a user's patterns: a regular expression may take for ever, and none of the agent waits then.

Reads requests as JSON lines, and answers each with a line. Its one argument is the user's file.
"""

import dataclasses
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from steelyard_proto.trainlog import LogReader, load_patterns

# Of processor time, for one line: a sound pattern takes some microseconds.
LINE_S: Final = 0.5


class TooSlow(Exception):
    """A line took too long."""


def main() -> None:
    """Answers until its input ends."""
    patterns = load_patterns(Path(sys.argv[1]))
    readers: dict[int, LogReader] = {}
    signal.signal(signal.SIGVTALRM, _stop)
    for request in sys.stdin:
        asked = json.loads(request)
        reader = readers.setdefault(asked["log"], LogReader(patterns))
        answer: dict[str, object] = {"told": None}
        # Expressions are stopped within: they look for signals as they go.
        signal.setitimer(signal.ITIMER_VIRTUAL, LINE_S)
        try:
            if asked["is_past"]:
                reader.read_facts(asked["line"])
            elif (told := reader.read(asked["line"])) is not None:
                answer = {"told": dataclasses.asdict(told)}
        except TooSlow:
            answer = {"too_slow": True}
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _stop(signal_number: int, frame: FrameType | None) -> None:
    raise TooSlow


if __name__ == "__main__":
    main()
