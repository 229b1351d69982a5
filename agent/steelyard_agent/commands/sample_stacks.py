"""`steelyard-agent sample-stacks`: runs py-spy once for an agent; what the unit steelyard-stacks@ does."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from steelyard_agent.help_format import HelpFormat
from steelyard_agent.profiling.py_spy import PySpy
from steelyard_agent.profiling.sampled import Sampled, Unsampled
from steelyard_agent.profiling.spy_socket import LONGEST_LINE

HELP: Final = "run py-spy once for an agent, over standard input and output"

_EPILOG: Final = """\
For the units in deploy/systemd (steelyard-stacks.socket): the agent asks by a line of JSON with pid, seconds (1 to 60)
and rate_hz (1 to 50), and is answered by a line with cpu_s or error, and what py-spy has written.
exit codes: 0 answered, also with an error
"""
# Name, least, most.
_BOUNDS: Final = (("pid", 2, 1 << 30), ("seconds", 1, 60), ("rate_hz", 1, 50))
_PAUSE_S: Final = 0.1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser(
        "sample-stacks", help=HELP, description=HELP, epilog=_EPILOG, formatter_class=HelpFormat
    )
    parser.add_argument("--program", metavar="PATH", default="", help="py-spy, where it isn't in a usual place")


def run(arguments: argparse.Namespace) -> int:
    """Answers one line."""
    text = b""
    try:
        pid, seconds, rate_hz = _asked(sys.stdin.buffer.readline(LONGEST_LINE))
        sampled = _sample(pid, seconds, rate_hz, arguments.program)
        answer: dict[str, object] = {"cpu_s": sampled.cpu_s}
        text = sampled.text.encode()
    except Unsampled as error:
        answer = {"error": str(error)}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + text)
    sys.stdout.buffer.flush()
    return 0


def _asked(line: bytes) -> tuple[int, ...]:
    try:
        told: dict[str, Any] = json.loads(line)
        values = [told[name] for name, _, _ in _BOUNDS]
    except (ValueError, TypeError, KeyError) as error:
        raise Unsampled("it was asked by no line of JSON with pid, seconds and rate_hz") from error
    for (name, least, most), value in zip(_BOUNDS, values, strict=True):
        if type(value) is not int or not least <= value <= most:
            raise Unsampled(f"{name} is {value!r}; give {least} to {most}")
    return tuple(values)


def _sample(pid: int, seconds: int, rate_hz: int, program: str) -> Sampled:
    with tempfile.TemporaryDirectory() as folder:
        spy = PySpy(pid, seconds, rate_hz, Path(folder) / "stacks", program=program)
        while (sampled := spy.poll()) is None:
            time.sleep(_PAUSE_S)
        return sampled
