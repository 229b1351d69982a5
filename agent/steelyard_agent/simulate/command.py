"""`steelyard-agent simulate`: be a fleet of plausible nodes."""

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from steelyard_agent.config import LOG_LEVELS, Config, make_config
from steelyard_agent.help_format import HelpFormat
from steelyard_agent.settings import gather_settings
from steelyard_agent.simulate.plan import FleetPlan, uniform_fleet
from steelyard_agent.simulate.plan_fault import FLAG, read_flags
from steelyard_agent.simulate.plan_file import DEMO, load_fleet
from steelyard_agent.stopping import SignalPause
from steelyard_proto.errors import ConfigError, TransportError

if TYPE_CHECKING:
    from steelyard_agent.simulate.fleet import Outcome

log = logging.getLogger(__name__)

# Jobs that don't say when they began were under way by then.
MOST_HISTORY_S: Final = 86_400

HELP = "be a fleet of plausible nodes, marked as simulated"

_EPILOG = """\
examples:
  steelyard-agent simulate --fleet demo --history 3600         six kinds of chips, and what they did in the last hour
  steelyard-agent simulate --fleet my-fleet.toml --seconds 60  nodes, jobs and faults of a file
  steelyard-agent simulate --fault slow_link,node=a100-1,device=3,from_s=60,to_s=600  what a file's [[fault]] says
  steelyard-agent simulate --print-fleet > my-fleet.toml       a file to begin with
  steelyard-agent simulate --nodes 100 --devices 8 --chip H20  load

SIGTERM and SIGINT end it; what isn't acknowledged by then is lost, unless --state-dir keeps it.
exit codes: 0 done; 1 the state directory can't be used; 2 a wrong argument; 3 no collector answered
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser(
        "simulate",
        help=HELP,
        description=HELP,
        epilog=_EPILOG,
        formatter_class=HelpFormat,
    )
    fleet = parser.add_argument_group("the fleet")
    fleet.add_argument("--fleet", metavar="NAME", help=f"{DEMO}, or a file in TOML [{DEMO}]")
    fleet.add_argument("--print-fleet", action="store_true", help="print the demo's file, which explains the form")
    fleet.add_argument("--nodes", type=int, metavar="N", help="so many nodes that are all alike, instead of --fleet")
    fleet.add_argument("--devices", type=int, default=8, metavar="N", help="on each of them [8]")
    fleet.add_argument("--chip", default="H100", help="of the chip table [H100]")
    fleet.add_argument("--prefix", default="", help="put before each node's name")
    fleet.add_argument(
        FLAG,
        action="append",
        default=[],
        metavar="KIND,node=NAME[,...]",
        help="with device=N, from_s=S, to_s=S, code=N if wanted, as in a file's [[fault]]; repeatable",
    )
    fleet.add_argument("--seed", type=int, default=1, help="the same seed gives the same noise [1]")
    run_ = parser.add_argument_group("the run")
    run_.add_argument("--seconds", type=float, default=float("inf"), metavar="N", help="end after so long")
    run_.add_argument(
        "--history",
        type=float,
        default=0.0,
        metavar="S",
        help="first send what the fleet did in so many seconds before, two samples a minute [0]; "
        "not where --state-dir holds an earlier run",
    )
    run_.add_argument(
        "--flush", type=float, metavar="S", help="seconds that a node gathers before it sends [as wanted]"
    )
    run_.add_argument("--drain", type=float, default=10.0, metavar="S", help="wait so long for the last acks [10]")
    run_.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="append what is true of it, in JSON: what was spooled, jobs, shares of chips, faults",
    )
    run_.add_argument("--state-dir", metavar="DIR", help="keep the spools there; without it they are temporary")
    sends = parser.add_argument_group("the collector")
    for name, metavar, text in (
        ("collector", "HOST:PORT", "address [127.0.0.1:8470]"),
        ("ca-file", "FILE", "PEM of the CA that signed the collector's certificate; without it: plain text"),
        ("cert-file", "FILE", "PEM of the agents' own certificate, where TLS is mutual"),
        ("key-file", "FILE", "PEM of its key"),
        ("token-file", "FILE", "file with a token of an agent"),
    ):
        sends.add_argument(f"--{name}", metavar=metavar, help=text)
    parser.add_argument("--config", type=Path, metavar="FILE", help="an agent's settings in TOML; the collector's part")
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="warning", help="how much to tell on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Simulates until the time is over or a signal comes."""
    if arguments.print_fleet:
        from importlib.resources import files

        sys.stdout.write(files("steelyard_agent.simulate").joinpath("demo.toml").read_text(encoding="utf-8"))
        return 0
    logging.basicConfig(stream=sys.stderr, level=arguments.log_level.upper(), format="%(levelname)s %(message)s")
    if not 0 <= arguments.history <= MOST_HISTORY_S:
        raise ConfigError(f"is {arguments.history:g}; give 0 to {MOST_HISTORY_S}", key="--history")
    plan = _plan(arguments)
    config = _config(arguments)
    # Before any thread: the signals are blocked in all of them.
    pause = SignalPause()
    with _state_dir(arguments.state_dir) as state_dir:
        outcome = _simulate(arguments, plan, config, state_dir, pause)
    _tell(outcome, config.collector.address)
    return 0


def _plan(arguments: argparse.Namespace) -> FleetPlan:
    if arguments.nodes is None:
        plan = load_fleet(arguments.fleet or DEMO)
    elif arguments.fleet is not None:
        raise ConfigError("give either --fleet or --nodes", key="--nodes")
    elif arguments.nodes < 1 or not 1 <= arguments.devices <= 64:
        raise ConfigError("give at least 1 node, and 1 to 64 devices", key="--nodes")
    else:
        plan = uniform_fleet(arguments.nodes, arguments.devices, arguments.chip)
    named = tuple(replace(node, name=arguments.prefix + node.name) for node in plan.nodes)
    faults = read_flags(arguments.fault, {node.name: node for node in named})
    return replace(plan, nodes=named).with_faults(faults)


def _config(arguments: argparse.Namespace) -> Config:
    keys = ("collector", "ca_file", "cert_file", "key_file", "token_file")
    flags = {key: getattr(arguments, key) for key in keys if getattr(arguments, key) is not None}
    return make_config(gather_settings(flags, os.environ, arguments.config), os.environ)


@contextmanager
def _state_dir(given: str | None) -> Iterator[Path]:
    if given is not None:
        yield Path(given)
        return
    path = Path(tempfile.mkdtemp(prefix="steelyard-simulate-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _simulate(
    arguments: argparse.Namespace, plan: FleetPlan, config: Config, state_dir: Path, pause: SignalPause
) -> "Outcome":
    # Imported here: a wrong argument is told before gRPC's 20 MB are loaded.
    from steelyard_agent.sending.light_grpc import import_grpc_lightly

    import_grpc_lightly()
    from steelyard_agent.sampling.sampler import Clock
    from steelyard_agent.sending.channel import Target
    from steelyard_agent.simulate.fleet import open_fleet, run_fleet
    from steelyard_agent.simulate.node import Surroundings
    from steelyard_agent.simulate.past import Past
    from steelyard_agent.simulate.truth import Truth

    truth: Truth | None = Truth(arguments.truth, plan) if arguments.truth is not None else None
    access = config.collector
    target = Target(**{field.name: getattr(access, field.name) for field in fields(access)})
    around = Surroundings(state_dir, target, truth, arguments.seed, time.time)
    clock = Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, pause)
    is_new = not state_dir.is_dir() or not any(state_dir.iterdir())
    history_s = arguments.history if is_new else 0.0
    past = Past(clock, history_s)
    nodes = open_fleet(plan, around, past.clock, history_s)
    log.info("%d nodes with %d devices, to %s", len(nodes), plan.devices, config.collector.address)
    try:
        flush_ms = None if arguments.flush is None else max(1, round(arguments.flush * 1000))
        return run_fleet(
            nodes, past.clock, seconds=arguments.seconds, flush_ms=flush_ms, drain_s=arguments.drain, past=past
        )
    finally:
        if truth is not None:
            truth.close()


def _tell(outcome: "Outcome", address: str) -> None:
    if not outcome.welcomed:
        raise TransportError(f"{address}: {outcome.last_error or 'no collector has welcomed a node'}")
    log.log(
        logging.INFO if outcome.acknowledged == outcome.spooled else logging.WARNING,
        "%d nodes, %d devices, %d ticks (%d late): %d of %d messages acknowledged",
        outcome.nodes,
        outcome.devices,
        outcome.ticks,
        outcome.late_ticks,
        outcome.acknowledged,
        outcome.spooled,
    )
