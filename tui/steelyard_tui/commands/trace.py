"""`steelyard trace fetch`: brings the raw trace of a stored profile from the node that has it."""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from steelyard_proto.errors import ConfigError, TransportError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of

if TYPE_CHECKING:
    from steelyard_proto.v1.control_pb2 import FetchReply

# The agent says how its file is called; it may say no folder and nothing hidden.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("fetch",), help="what to do")
    parser.add_argument("profile", metavar="ID", help="a stored profile's")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to (default: here, as the node calls it)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_collector_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.output:
        _check_free(Path(arguments.output), is_forced=arguments.force)
    with client_of(arguments) as client:
        return fetch(client.control.fetch(arguments.profile), arguments)


def fetch(replies: "Iterable[FetchReply]", arguments: argparse.Namespace) -> int:
    """Writes the pieces into a file beside the one that they become once all are there.

    Raises:
        ConfigError: the file can't be written, or is there already.
        StoreError: the trace isn't there, or doesn't come.
        TransportError: no collector answers, or pieces are missing.
    """
    folder = Path(arguments.output).parent if arguments.output else Path()
    partial = None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".steelyard-trace-", delete=False) as file:
            partial = Path(file.name)
            name, got, total = _copy(replies, file)
        if got != total or not got:
            raise TransportError(f"{got:,} of {total:,} bytes came; fetch it again")
        target = Path(arguments.output) if arguments.output else folder / (name or f"{arguments.profile}.trace")
        _check_free(target, is_forced=arguments.force)
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)
        partial.replace(target)
    except OSError as error:
        raise ConfigError(f"{error.filename or folder}: {error.strerror}", key="--output") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    print(target)
    print(
        f"{got / 1e6:,.1f} MB; Kineto's open in https://ui.perfetto.dev, Ascend's in MindStudio Insight",
        file=sys.stderr,
    )
    return 0


def _copy(replies: "Iterable[FetchReply]", file: IO[bytes]) -> tuple[str, int, int]:
    name, got, total = "", 0, 0
    for reply in replies:
        if not name and _FILE_NAME.fullmatch(reply.file_name):
            name = reply.file_name
        total = reply.total_bytes
        got += file.write(reply.piece)
        if sys.stderr.isatty():
            print(f"\r{got / 1e6:,.1f} of {total / 1e6:,.1f} MB", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return name, got, total


def _check_free(path: Path, *, is_forced: bool) -> None:
    if path.exists() and not is_forced:
        raise ConfigError(f"{path} is there already; give another --output, or --force", key="--output")


COMMAND = Command(
    name="trace",
    help="bring the raw trace of a stored profile from its node, for Perfetto or MindStudio Insight",
    examples=(
        "steelyard trace fetch 6f0c1a52-8f0e-4d6e-9f6b-1d2c3b4a5e6f",
        "steelyard trace fetch 6f0c1a52-8f0e-4d6e-9f6b-1d2c3b4a5e6f -o slow.json.gz",
    ),
    add_arguments=_add_arguments,
    run=_run,
    notes="A node keeps raw traces for a time and up to a size; what is gone is said. It takes an operator's token.",
    needs_numpy=False,
)
