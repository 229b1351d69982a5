"""`steelyard job`: one screen about one job, while it runs, when it hangs, and days after it ended."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from steelyard_proto.errors import ConfigError, TransportError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of

if TYPE_CHECKING:
    from steelyard_tui.client import Client
    from steelyard_tui.job.page import JobPage

# By state; an unknown job is 7, the rest is every command's: see the table in docs/job.md.
EXIT_CODES: Final = {"starting": 0, "running": 0, "finished": 0, "hung": 4, "idle but held": 5, "lost": 6}
_WIDTH: Final = 100
# A collector that is started anew doesn't end the following.
_PATIENCE_S: Final = 120.0
_CLEAR: Final = "\x1b[H\x1b[2J"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="ID", help="the job, as `steelyard jobs` names it")
    parser.add_argument("--follow", action="store_true", help="again and again until the job ends")
    parser.add_argument(
        "--every", type=_seconds, default=5.0, metavar="S", help="seconds between two looks (default %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="one object; with --follow one a line")
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help="draw with ASCII alone")
    add_collector_arguments(parser)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 3600")
    return seconds


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.job.strip():
        raise ConfigError("is empty; `steelyard jobs` lists those that are known", key="ID")
    with client_of(arguments) as client:
        if arguments.follow:
            return follow(client, arguments, clock=time.monotonic, pause=time.sleep)
        from steelyard_tui.job.page import read_page

        page = read_page(client, arguments.job)
    _write(page, arguments, clear=False)
    return EXIT_CODES[page.state]


def follow(
    client: "Client", arguments: argparse.Namespace, *, clock: Callable[[], float], pause: Callable[[float], None]
) -> int:
    """Shows the page again and again until the job has ended.

    Args:
        client: the collector's.
        arguments: of the command.
        clock: monotonic seconds.
        pause: sleeps for seconds.

    Raises:
        NoSuchJob: nobody told of it.
        StoreError: the collector refuses a query.
        TransportError: no collector answers, at first or for two minutes.
    """
    from steelyard_tui.job.page import read_page

    page = read_page(client, arguments.job)
    answered_s, is_away = clock(), False
    while True:
        _write(page, arguments, clear=sys.stdout.isatty())
        if page.has_ended:
            return EXIT_CODES[page.state]
        while True:
            pause(arguments.every)
            try:
                page = read_page(client, arguments.job)
            except TransportError as error:
                if clock() - answered_s > _PATIENCE_S:
                    raise
                if not is_away:
                    print(f"steelyard job: {error}; trying again", file=sys.stderr)
                is_away = True
            else:
                answered_s, is_away = clock(), False
                break


def _write(page: "JobPage", arguments: argparse.Namespace, *, clear: bool) -> None:
    if arguments.json:
        _write_json(page, is_one=not arguments.follow)
    else:
        from steelyard_tui.present.glyphs import ASCII, UNICODE
        from steelyard_tui.present.job import job_lines
        from steelyard_tui.present.line import plain

        glyphs = ASCII if getattr(arguments, "ascii", False) else UNICODE
        lines = job_lines(page, shutil.get_terminal_size((_WIDTH, 24)).columns, glyphs)
        text = "\n".join(plain(line).rstrip() for line in lines)
        rule = "\n" if not arguments.follow or clear else f"\n{'-' * 20}\n"
        sys.stdout.write((_CLEAR if clear else "") + text + rule)
    sys.stdout.flush()


def _write_json(page: "JobPage", *, is_one: bool) -> None:
    from steelyard_tui.commands.formats import plain_value
    from steelyard_tui.job.findings import findings

    told = {
        **page.job,
        "exit_code": EXIT_CODES[page.state],
        "look_at": [{"rule": finding.rule, "text": finding.text} for finding in findings(page)],
        "figures": page.figures,
        "live": page.live,
        "goodput_parts": page.goodput,
        "held": [{**row, "activity": page.activity.get(row["device_id"])} for row in page.devices],
        "ranks": page.ranks,
        "stragglers": page.stragglers,
        "events": page.events,
        "gaps": page.gaps,
        "profiles": page.profiles,
        "profile_parts": page.profile_parts,
        "profile_operators": page.profile_operators,
        "run_jobs": page.run_jobs,
    }
    sys.stdout.write(json.dumps(told, default=plain_value, ensure_ascii=False, indent=1 if is_one else None) + "\n")


COMMAND = Command(
    name="job",
    help="one screen about one job: how it stands, its figures, and what to look at",
    examples=(
        "steelyard job 48213",
        "steelyard job 48213 --follow && echo it has finished",
        "steelyard job 48213 --json | jq '.look_at[].text'",
    ),
    add_arguments=_add_arguments,
    run=_run,
    notes=(
        "exit codes: 0 starting, running or finished; 4 hung; 5 idle but held; 6 lost; 7 no such job;\n"
        "  1 failed; 2 a wrong setting or argument; 3 no collector answers; 130 interrupted"
    ),
)
