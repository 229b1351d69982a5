"""`steelyard-agent replay`: play a recording to a collector, once."""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelyard_agent.commands.collector_settings import add_settings, load_config
from steelyard_agent.help_format import HelpFormat
from steelyard_agent.settings import default_text
from steelyard_proto.errors import TransportError

if TYPE_CHECKING:
    from steelyard_agent.config import Config
    from steelyard_agent.devices.replay_track import Index

HELP = "play what record has written, marked as replayed wherever it is shown"

_EPILOG = """\
examples:
  steelyard-agent replay minute.steelyard               to the collector on this machine
  steelyard-agent replay --speed 10 hour.steelyard      in six minutes, sampled ten times as often
  steelyard-agent replay --node case-17 bad.steelyard   under a name of your own

Times are those of the playing. Its node and its devices are others than this machine's own, which an agent may sample
meanwhile; SIGTERM and SIGINT end it early.
exit codes: 0 played; 1 the file is no recording; 2 a wrong setting or argument; 3 the collector didn't take all of it
"""

# The quickest that anything is sampled; what is played faster than this allows has gaps.
_QUICKEST_MS: Final = 100
_USUAL_MS: Final = 1000
# Nothing is kept for a later run.
_PATIENCE_S: Final = 5.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser("replay", help=HELP, description=HELP, epilog=_EPILOG, formatter_class=HelpFormat)
    parser.add_argument("file", metavar="FILE", type=Path, help="a recording")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="so many times as fast, up to 1000 [1]")
    add_settings(parser, sends=True)


def run(arguments: argparse.Namespace) -> int:
    """Plays to the end, or until a signal comes."""
    if arguments.print_config:
        sys.stdout.write(default_text())
        return 0
    period_ms = str(max(_QUICKEST_MS, round(_USUAL_MS / max(1.0, arguments.speed))))
    config = load_config(
        arguments,
        {
            "sources.replay": f"{arguments.file}@{arguments.speed:f}x",
            "sampling.fast_period_ms": period_ms,
            "sampling.host_period_ms": period_ms,
        },
    )
    from steelyard_agent.devices.registry import open_sources

    # Before the recording is read: a wrong name or speed is told with its key.
    open_sources(config.sources, config.node)
    from steelyard_agent.devices.replay_track import Track

    index = Track(arguments.file).index
    config = replace(config, node=arguments.node or index.hello.node.name)
    with tempfile.TemporaryDirectory(prefix="steelyard-replay-") as folder:
        waiting = _play(
            config if arguments.state_dir else replace(config, state_dir=Path(folder)), index, arguments.speed
        )
    if waiting:
        raise TransportError(f"{config.collector.address}: {waiting} messages were not taken; the lines above say why")
    return 0


def _play(config: "Config", index: "Index", speed: float) -> int:
    from steelyard_agent.daemon import run_daemon
    from steelyard_agent.devices.registry import open_sources
    from steelyard_agent.directory import ORIGINS
    from steelyard_agent.stopping import SignalPause, ending
    from steelyard_proto.v1 import ingest_pb2

    node = ingest_pb2.Node()
    node.CopyFrom(index.hello.node)
    node.name, node.origin = config.node, ORIGINS["replayed"]
    pause = ending(SignalPause(), (index.last_ms - index.first_ms) / 1000 / speed)
    return run_daemon(config, open_sources(config.sources, config.node), pause, node=node, patience_s=_PATIENCE_S)
