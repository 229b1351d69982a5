"""The agent's daemon with a fast period below what its settings allow, so that hours of ticks pass in minutes.

    python tests/bench/load/fast_agent.py PERIOD_MS daemon [its flags]

Everything else is the daemon's own: its command line, its settings, its wiring.
"""

import argparse
import sys
from dataclasses import replace

from steelyard_agent.commands.collector_settings import load_config
from steelyard_agent.commands.daemon import add_parser


def main() -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    config = load_config(parser.parse_args(sys.argv[2:]))
    sampling = replace(config.sampling, fast_period_ms=int(sys.argv[1]))
    from steelyard_agent.daemon import run_daemon
    from steelyard_agent.devices.registry import open_sources
    from steelyard_agent.stopping import SignalPause

    pause = SignalPause()
    run_daemon(replace(config, sampling=sampling), open_sources(config.sources, config.node), pause)


if __name__ == "__main__":
    main()
