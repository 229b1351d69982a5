"""`steelyard-agent doctor`: what this node can tell, what is missing, why, and what to do."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from steelyard_agent.commands.collector_settings import add_settings, load_config
from steelyard_agent.devices.registry import open_sources
from steelyard_agent.doctor.container import check_container
from steelyard_agent.doctor.finding import Finding, exit_code
from steelyard_agent.doctor.host import check_host
from steelyard_agent.doctor.installation import check_installation
from steelyard_agent.doctor.metrics import check_metrics
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.npu_smi import check_npu_smi
from steelyard_agent.doctor.permissions import check_permissions
from steelyard_agent.doctor.probe import probe_all
from steelyard_agent.doctor.profiling import check_profiling
from steelyard_agent.doctor.report import as_json, as_text
from steelyard_agent.doctor.schedulers import check_schedulers
from steelyard_agent.doctor.sources import check_sources
from steelyard_agent.doctor.spool import check_spool
from steelyard_agent.help_format import HelpFormat, terminal_columns
from steelyard_agent.settings import default_text

HELP = "say what this node can tell, and what is missing and why"

_EPILOG = """\
examples:
  steelyard-agent doctor                            everything, as the daemon's user would see it
  steelyard-agent doctor --check collector          only whether the collector answers
  steelyard-agent doctor --json | jq .findings      for scripts

The sources are asked as the daemon asks them, for two seconds; nothing is written, and no agent needs to be stopped.
exit codes: 0 no problem (there may be warnings); 1 a problem; 2 a wrong setting or argument;
3 the only problem is that the collector doesn't answer
"""


def _collector(node: Node) -> Sequence[Finding]:
    # Imported here: gRPC's 20 MB are not needed for the others.
    from steelyard_agent.doctor.collector import check_collector

    return check_collector(node)


CHECKS: Final[Mapping[str, Callable[[Node], Sequence[Finding]]]] = {
    "installation": check_installation,
    "host": check_host,
    "container": check_container,
    "permissions": check_permissions,
    "schedulers": check_schedulers,
    "sources": check_sources,
    "metrics": check_metrics,
    "npu_smi": check_npu_smi,
    "profiling": check_profiling,
    "spool": check_spool,
    "collector": _collector,
}
_NEED_PROBES: Final = frozenset({"sources", "metrics", "npu_smi", "profiling"})


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser(
        "doctor",
        help=HELP,
        description=HELP,
        epilog=_EPILOG,
        formatter_class=HelpFormat,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--check", action="append", choices=tuple(CHECKS), metavar="NAME", help=f"only this: {', '.join(CHECKS)}"
    )
    add_settings(parser, sends=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the checks and prints what they found."""
    if arguments.print_config:
        sys.stdout.write(default_text())
        return 0
    config = load_config(arguments)
    names = [name for name in CHECKS if arguments.check is None or name in arguments.check]
    sources = open_sources(config.sources, config.node) if _NEED_PROBES.intersection(names) else []
    probes = probe_all(sources, monotonic=time.monotonic, sleep=time.sleep)
    node = Node(config, probes, os.environ)
    findings = [finding for name in names for finding in CHECKS[name](node)]
    sys.stdout.write(as_json(findings) if arguments.json else as_text(findings, terminal_columns()))
    return exit_code(findings)
