"""`steelyard report`: a window as one page, as Markdown or as JSON."""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelyard_proto.errors import ConfigError, SteelyardError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of
from steelyard_tui.commands.window import add_since

if TYPE_CHECKING:
    from steelyard_tui.report.document import Document

_ENDINGS: Final = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".json": "json"}
Tell = Callable[[str], None]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_since(parser, "7d")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of to standard output")
    parser.add_argument("--format", choices=("html", "md", "json"), help="default by FILE's ending, else html")
    parser.add_argument("--reference", metavar="CHIP", help="what is 1 (default H100 where it ran, else what ran most)")
    add_collector_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    format_name = _format_of(arguments.format, arguments.output)
    if arguments.output and not Path(arguments.output).absolute().parent.is_dir():
        raise ConfigError(f"{arguments.output}: its folder doesn't exist; make it first", key="--output")
    if format_name == "html":
        _need_plots()
    tell = _teller()
    from steelyard_tui.report.build import build
    from steelyard_tui.report.gather import gather

    with client_of(arguments) as client:
        now = datetime.now(UTC)
        gathered = gather(client, arguments.since, tell, now)
        document = build(gathered, arguments.reference, client.address, now)
    for fault in document.faults:
        print(f"left out by the collector: {fault}", file=sys.stderr)
    text = _written(document, format_name, tell)
    tell("")
    if arguments.output:
        _save(Path(arguments.output), text)
        print(f"wrote {arguments.output}, {len(text.encode()) // 1024 + 1} KB", file=sys.stderr)
    else:
        sys.stdout.write(text)
    return 0


def _format_of(asked: str | None, output: str | None) -> str:
    if asked or not output:
        return asked or "html"
    ending = Path(output).suffix.lower()
    if ending not in _ENDINGS:
        raise ConfigError(f"{output}: its ending says no format; give --format html, md or json", key="--output")
    return _ENDINGS[ending]


def _need_plots() -> None:
    """Raises before anything is read, where the page's pictures can't be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SteelyardError(
            "the page's pictures need matplotlib: pip install 'steelyard[report]'; --format md and json do without"
        ) from error


def _teller() -> Tell:
    """Tells what goes on, on one line of the terminal; a log gets none of it."""
    if not sys.stderr.isatty():
        return lambda text: None

    def tell(text: str) -> None:
        sys.stderr.write(f"\r\033[K{text} ..." if text else "\r\033[K")
        sys.stderr.flush()

    return tell


def _written(document: "Document", format_name: str, tell: Tell) -> str:
    if format_name == "md":
        from steelyard_tui.report.markdown import as_markdown

        return as_markdown(document)
    if format_name == "json":
        from steelyard_tui.report.plain import as_json

        return as_json(document)
    tell("drawing")
    from steelyard_tui.report.page import as_page
    from steelyard_tui.report.plots.draw import draw

    pictures = {picture.key: draw(picture) for section in document.sections for picture in section.pictures}
    return as_page(document, pictures)


def _save(path: Path, text: str) -> None:
    """Writes beside it and renames: nobody sees half a report, and one that was there stays until then."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigError(f"{path}: {error.strerror}", key="--output") from error


COMMAND = Command(
    name="report",
    help="a window as one page: comparison, time, energy, claims, methods",
    examples=(
        "steelyard report --since 7d -o report.html",
        "steelyard report --since 24h --reference A100-80G -o report.md",
        "steelyard report --since 1h --format json | jq '.sections.share.tables.shares'",
    ),
    add_arguments=_add_arguments,
    run=_run,
)
