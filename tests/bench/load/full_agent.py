"""The agent's daemon with every source at once, which no node has and the settings keep apart.

    python tests/bench/load/full_agent.py SYSFS URL daemon [its flags]

SYSFS is where the AMD GPUs are, URL an exporter's page. Everything else is the daemon's own.
"""

import argparse
import sys
from pathlib import Path

from steelyard_agent.commands.collector_settings import load_config
from steelyard_agent.commands.daemon import add_parser
from steelyard_agent.light_memory import share_arenas
from steelyard_agent.light_protobuf import import_protobuf_lightly


def main() -> None:
    sysfs, url, *arguments = sys.argv[1:]
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    config = load_config(parser.parse_args(arguments))
    import_protobuf_lightly()
    share_arenas()
    from steelyard_agent.daemon import run_daemon
    from steelyard_agent.devices.amdgpu.source import AmdgpuSource
    from steelyard_agent.devices.registry import open_sources
    from steelyard_agent.stopping import SignalPause

    pause = SignalPause()
    vendors = open_sources({"nvml": "", "dcmi": ""}, config.node)
    others = open_sources({"scrape": url, "cpu": "", "host": ""}, config.node)
    run_daemon(config, [*vendors, AmdgpuSource(node=config.node, sys=Path(sysfs)), *others], pause)


if __name__ == "__main__":
    main()
