"""`steelyard-agent daemon`: sample this node and stream what is seen."""

import argparse
import sys

from steelyard_agent.commands.collector_settings import add_settings, load_config
from steelyard_agent.help_format import HelpFormat
from steelyard_agent.settings import default_text

HELP = "sample this node's devices and stream what is seen to a collector"

_EPILOG = """\
examples:
  steelyard-agent daemon                                    to the collector on this machine
  steelyard-agent daemon --collector head-node:8470 --ca-file ca.pem --token-file token
  steelyard-agent daemon --set sampling.fast_period_ms=200  sample devices at 5 Hz
  steelyard-agent daemon --print-config > agent.toml        a file to begin with

SIGTERM and SIGINT end it within 2 seconds; what isn't sent by then waits in the spool.
exit codes: 0 stopped by a signal; 1 the state directory can't be used; 2 a wrong setting or argument
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser(
        "daemon",
        help=HELP,
        description=HELP,
        epilog=_EPILOG,
        formatter_class=HelpFormat,
    )
    add_settings(parser, sends=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs until a signal comes."""
    if arguments.print_config:
        sys.stdout.write(default_text())
        return 0
    config = load_config(arguments)
    # Imported here: a wrong setting is told before gRPC's 20 MB are loaded.
    from steelyard_agent.light_protobuf import import_protobuf_lightly

    import_protobuf_lightly()
    from steelyard_agent.light_memory import share_arenas

    share_arenas()
    from steelyard_agent.daemon import run_daemon
    from steelyard_agent.devices.registry import open_sources
    from steelyard_agent.stopping import SignalPause

    pause = SignalPause()
    run_daemon(config, open_sources(config.sources, config.node), pause)
    return 0
