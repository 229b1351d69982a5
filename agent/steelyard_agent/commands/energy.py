"""`steelyard-agent energy`: the energy counters of the devices that a job holds, while it runs."""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from steelyard_agent.commands.collector_settings import add_settings, load_config
from steelyard_agent.help_format import HelpFormat
from steelyard_agent.settings import default_text
from steelyard_proto.errors import ConfigError, DeviceError

if TYPE_CHECKING:
    from steelyard_agent.devices.base import Source
    from steelyard_agent.jobs.facts import ProcessReader
    from steelyard_agent.model import DeviceInfo

    Meter = tuple["Source", Sequence["DeviceInfo"]]

HELP = "print the energy counters of the devices that a job holds"

_EPILOG = """\
examples:
  steelyard-agent energy --job 48213                until it is told to end
  steelyard-agent energy --job 48213 --period 1     once a second

JSON lines. The first has `devices`: of each its `uid, kind, package_uid, package_devices, power_scope, note`. The
others are readings: `energy_mj` by uid, each with the time that it was read at by this machine's monotonic clock;
`absent` by uid, and why; `held`, the devices that the job held at the last look; `unseen`, where holders can't be
known and why.
`steelyard weigh` reads it. SIGTERM and SIGINT end it.
exit codes: 0 ended; 2 a wrong setting or argument
"""
_ENERGY: Final = "energy_mj"
# Ascend's energy is a sum over readings of power that must come this often.
_POLL_S: Final = 0.1
# Who holds a device changes rarely, and is dear to find out.
_LOOK_EVERY_S: Final = 2.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser("energy", help=HELP, description=HELP, epilog=_EPILOG, formatter_class=HelpFormat)
    parser.add_argument("--job", required=True, metavar="JOB", help="its id, as STEELYARD_JOB says it")
    parser.add_argument("--period", type=float, default=0.2, metavar="S", help="seconds between readings [0.2]")
    add_settings(parser, sends=False)


def run(arguments: argparse.Namespace) -> int:
    """Reads until it is told to end."""
    if arguments.print_config:
        sys.stdout.write(default_text())
        return 0
    if not 0.05 <= arguments.period <= 60:
        raise ConfigError(f"is {arguments.period:g}; give 0.05 to 60 seconds", key="--period")
    config = load_config(arguments)
    from steelyard_agent.devices.registry import open_sources
    from steelyard_agent.jobs.watch import open_reader
    from steelyard_agent.stopping import SignalPause

    pause = SignalPause()
    sources = open_sources(config.sources, config.node)
    try:
        meters = list(_meters(sources))
        _write({"devices": list(_facts(meters))})
        reader = open_reader(config.node)
        due_s = look_due_s = 0.0
        held: dict[str, Any] = {}
        while not pause(_POLL_S):
            _poll(meters)
            if time.monotonic() >= look_due_s:
                look_due_s = time.monotonic() + _LOOK_EVERY_S
                held = _held(meters, reader, arguments.job)
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + arguments.period
                _write(_reading(meters) | held)
    finally:
        for source in sources:
            source.close()
    return 0


def _write(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _meters(sources: Iterable["Source"]) -> "Iterator[Meter]":
    """The sources that have devices with holders."""
    for source in sources:
        try:
            infos = source.discover()
        except DeviceError:
            continue
        if source.capabilities.entity == "device" and source.capabilities.has_processes:
            yield source, infos


def _facts(meters: "Iterable[Meter]") -> Iterator[dict[str, Any]]:
    infos = [info for _, found in meters for info in found]
    for info in infos:
        packed = sum(other.package_uid == info.package_uid for other in infos) if info.package_uid else 1
        yield {
            "uid": info.uid,
            "kind": info.kind,
            "package_uid": info.package_uid,
            "package_devices": packed,
            "power_scope": info.power_scope,
            "note": info.notes.get(_ENERGY, ""),
        }


def _poll(meters: "Iterable[Meter]") -> None:
    for source, infos in meters:
        for info in infos if source.capabilities.poll_period_s else ():
            try:
                source.poll(info.uid)
            except DeviceError:
                continue


def _held(meters: "Iterable[Meter]", reader: "ProcessReader", job: str) -> dict[str, Any]:
    from steelyard_agent.model import Absent

    held: list[str] = []
    unseen: dict[str, str] = {}
    for source, infos in meters:
        for info in infos:
            try:
                found = source.processes(info.uid)
            except DeviceError as error:
                found = Absent(str(error))
            if isinstance(found, Absent):
                unseen[info.uid] = found.reason
            elif any((who := reader.read(process.pid)) is not None and who.job.id == job for process in found):
                held.append(info.uid)
    reader.end_look()
    return {"held": held, "unseen": unseen}


def _reading(meters: "Iterable[Meter]") -> dict[str, Any]:
    read = {info.uid: _energy_of(source, info) for source, infos in meters for info in infos}
    return {
        _ENERGY: {uid: found for uid, found in read.items() if not isinstance(found, str)},
        "absent": {uid: found for uid, found in read.items() if isinstance(found, str)},
    }


def _energy_of(source: "Source", info: "DeviceInfo") -> tuple[float, int] | str:
    """When the counter was read, and what it told; or why it told nothing."""
    from steelyard_agent.model import Absent
    from steelyard_proto.metrics import catalogue

    metrics = info.metrics["fast"]
    number = catalogue().by_name[_ENERGY].id
    if number not in metrics:
        return "it has no energy counter that the agent can read"
    try:
        value = source.sample(info.uid, "fast")[metrics.index(number)]
    except DeviceError as error:
        return str(error)
    return value.reason if isinstance(value, Absent) else (time.monotonic(), int(value))
