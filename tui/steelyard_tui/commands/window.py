"""The window that a command looks back over: `--since 7d`."""

import argparse
import re
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SPAN: Final = re.compile(r"(\d+)\s*(s|min|m|h|d|w)")


def add_since(parser: argparse.ArgumentParser, default: str = "24h") -> None:
    """Adds the argument; `since` is then in seconds."""
    parser.add_argument(
        "--since",
        type=seconds_of,
        default=default,
        metavar="SPAN",
        help=f"look back so far: 90m, 24h, 7d (default {default}); 1h, 24h and 7d are kept ready",
    )


def seconds_of(text: str) -> int:
    """90m, 24h or 7d in seconds.

    Raises:
        argparse.ArgumentTypeError: it is no span of a minute or more.
    """
    found = _SPAN.fullmatch(text.strip())
    seconds = int(found.group(1)) * _SECONDS[found.group(2)] if found else 0
    if seconds < 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of a minute or more; write 90m, 24h or 7d")
    return seconds
