"""`steelyard-agent record`: what a daemon would send, into a file."""

import argparse
import sys
from pathlib import Path

from steelyard_agent.commands.collector_settings import add_settings, load_config
from steelyard_agent.help_format import HelpFormat
from steelyard_agent.settings import default_text
from steelyard_proto.errors import ConfigError

HELP = "write what a daemon would send to a file"

_EPILOG = """\
examples:
  steelyard-agent record --seconds 60 minute.steelyard
  steelyard-agent record --seconds 600 --with-names run.steelyard   for yourself: who and where, as they are
  steelyard-agent record --seconds 10 --set sampling.fast_period_ms=100 fast.steelyard
  steelyard-agent replay --speed 10 minute.steelyard     play it, ten times as fast

Names of node, devices, users and jobs, addresses and process ids are replaced, so that a recording may go into a
bug report; chips, versions, figures and times stay. What is played is marked as replayed wherever it is shown.
SIGTERM and SIGINT end it early; what was recorded by then is kept.
exit codes: 0 recorded; 1 the file can't be written; 2 a wrong setting or argument
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser("record", help=HELP, description=HELP, epilog=_EPILOG, formatter_class=HelpFormat)
    parser.add_argument("file", metavar="FILE", type=Path, help="the recording to make")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long [60]")
    parser.add_argument("--with-names", action="store_true", help="leave names of node, devices, users and jobs in it")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    add_settings(parser, sends=False)


def run(arguments: argparse.Namespace) -> int:
    """Records and says on stderr what came of it."""
    if arguments.print_config:
        sys.stdout.write(default_text())
        return 0
    if not arguments.seconds > 0:
        raise ConfigError(f"is {arguments.seconds:g}; give a time above 0", key="--seconds")
    if arguments.file.exists() and not arguments.force:
        raise ConfigError(f"{arguments.file} is there already; give another name, or --force", key="FILE")
    config = load_config(arguments)
    from steelyard_agent.devices.registry import open_sources
    from steelyard_agent.recording.run import record
    from steelyard_agent.stopping import SignalPause

    pause = SignalPause()
    done = record(
        config,
        open_sources(config.sources, config.node),
        arguments.file,
        arguments.seconds,
        pause,
        is_scrubbed=not arguments.with_names,
    )
    sys.stderr.write(f"{arguments.file}: {done.messages} messages of {done.devices} devices, {done.size_bytes} bytes\n")
    return 0
