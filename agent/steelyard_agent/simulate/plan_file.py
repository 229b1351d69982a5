"""Reads a fleet from a TOML file; demo.toml is one, and explains the form."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast, get_args

from steelyard_agent.devices.simulator.faults import FAULT_KINDS, Fault, FaultKind
from steelyard_agent.devices.simulator.source import find_chip
from steelyard_agent.devices.simulator.workload import Workload
from steelyard_agent.jobs.identity import Scheduler
from steelyard_agent.simulate.plan import FleetPlan, JobPlan, NodePlan, place
from steelyard_proto.chips import load_chips
from steelyard_proto.errors import ConfigError

DEMO: Final = "demo"
_WORKLOAD: Final = tuple(f.name for f in fields(Workload) if f.name != "slowdowns")
_SCHEDULERS: Final = get_args(Scheduler)
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(("prefix", "chip", "name", "id", "scheduler", "user", "node", "kind"), str),
    **dict.fromkeys(("count", "devices", "device", "steps_per_checkpoint"), int),
    **dict.fromkeys(("tokens_per_step", "parameters", "sequence_length", "layers", "heads", "hidden"), int),
    "nodes": list,
}
_TRAINING: Final = ("tokens_per_step", "parameters", "sequence_length", "layers", "heads", "hidden")
_HIGHEST: Final = {"count": 10_000, "devices": 64, "device": 63}


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file, and how to complain about it."""

    path: str
    label: str
    entry: Mapping[str, Any]

    def error(self, message: str) -> ConfigError:
        return ConfigError(message, path=self.path, key=self.label)

    def check(self, needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
        for key in needed:
            if key not in self.entry:
                raise self.error(f"{key} is missing")
        for key, value in self.entry.items():
            if key not in needed + optional:
                raise self.error(f"unknown key {key!r}; known are {', '.join(needed + optional)}")
            wanted = _TYPES.get(key, (int, float))
            if isinstance(value, bool) or not isinstance(value, wanted):
                raise self.error(f"{key} is {value!r}, which is of the wrong type")
            lowest = 1 if key in ("count", "devices", "steps_per_checkpoint") else 0
            if isinstance(value, int | float) and not lowest <= value <= _HIGHEST.get(key, float("inf")):
                raise self.error(f"{key} is {value}; give {lowest} to {_HIGHEST.get(key, 'any number above')}")


def load_fleet(name: str) -> FleetPlan:
    """A fleet by its file, or the one called demo.

    Raises:
        ConfigError: the file can't be read or is no TOML, or something in it makes no sense.
    """
    if name == DEMO:
        return parse_fleet(files(__package__).joinpath("demo.toml").read_text(encoding="utf-8"), path="demo.toml")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}; give a file, or {DEMO}", path=name) from error
    return parse_fleet(text, path=name)


def parse_fleet(text: str, *, path: str) -> FleetPlan:
    """Reads a fleet's text; see `load_fleet` for the errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is no TOML: {error}", path=path) from error
    if unknown := sorted(document.keys() - {"nodes", "job", "fault"}):
        raise ConfigError(f"unknown table {unknown[0]!r}; known are nodes, job, fault", path=path)
    nodes = [node for table in _tables(document, "nodes", path) for node in _nodes(table)]
    if not nodes:
        raise ConfigError("has no [[nodes]]", path=path)
    by_name = {node.name: node for node in nodes}
    if len(by_name) < len(nodes):
        raise ConfigError("two [[nodes]] have the same prefix", path=path)
    jobs = [_job(table, by_name) for table in _tables(document, "job", path)]
    _refuse_shared_nodes(jobs, path)
    faults: dict[str, list[Fault]] = {}
    for table in _tables(document, "fault", path):
        fault = _fault(table, by_name)
        faults.setdefault(table.entry["node"], []).append(fault)
    return place(nodes, jobs, faults)


def _tables(document: Mapping[str, Any], name: str, path: str) -> list[_Table]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"write it as [[{name}]]", path=path, key=name)
    return [_Table(path, f"{name} {number}", entry) for number, entry in enumerate(entries, 1)]


def _nodes(table: _Table) -> list[NodePlan]:
    table.check(("prefix", "count", "chip", "devices"), ())
    entry = table.entry
    chip = find_chip(load_chips(), entry["chip"])
    return [NodePlan(f"{entry['prefix']}-{n}", chip.name, entry["devices"]) for n in range(1, entry["count"] + 1)]


def _job(table: _Table, nodes: Mapping[str, NodePlan]) -> JobPlan:
    table.check(("name", "nodes"), ("id", "scheduler", "user", *_TRAINING, *_WORKLOAD))
    entry = table.entry
    for name in entry["nodes"]:
        if name not in nodes:
            raise table.error(f"no node is called {name!r}")
    if entry.get("scheduler", "slurm") not in _SCHEDULERS:
        raise table.error(f"scheduler is {entry['scheduler']!r}; give one of {', '.join(_SCHEDULERS)}")
    values = {key: entry[key] for key in _WORKLOAD if key in entry}
    for key in ("compute_share", "tensor", "vector", "hbm_bw", "hbm_fill"):
        if values.get(key, 0) > 1:
            raise table.error(f"{key} is {values[key]}; it is a share from 0 to 1")
    if values.get("step_s", 1) <= 0:
        raise table.error("step_s is 0; a step takes some time")
    return JobPlan(
        id=entry.get("id") or entry["name"],
        name=entry["name"],
        nodes=tuple(entry["nodes"]),
        scheduler=cast(Scheduler, entry.get("scheduler", "slurm")),
        user=entry.get("user", ""),
        workload=Workload(**values),
        **{key: entry[key] for key in _TRAINING if key in entry},
    )


def _refuse_shared_nodes(jobs: list[JobPlan], path: str) -> None:
    owner: dict[str, str] = {}
    for number, job in enumerate(jobs, 1):
        if any(job.id == other.id for other in jobs[: number - 1]):
            raise ConfigError(f"the id {job.id!r} stands twice", path=path, key=f"job {number}")
        for name in job.nodes:
            if name in owner:
                raise ConfigError(f"{name} is {owner[name]}'s already", path=path, key=f"job {number}")
            owner[name] = job.name


def _fault(table: _Table, nodes: Mapping[str, NodePlan]) -> Fault:
    table.check(("node", "kind", "from_s"), ("device", "to_s"))
    entry = table.entry
    node = nodes.get(entry["node"])
    if node is None:
        raise table.error(f"no node is called {entry['node']!r}")
    if entry["kind"] not in get_args(FaultKind):
        raise table.error(f"kind is {entry['kind']!r}; give one of {', '.join(FAULT_KINDS)}")
    device = entry.get("device")
    if device is not None and device >= node.devices:
        raise table.error(f"device is {device}; {node.name} has 0 to {node.devices - 1}")
    to_s = float(entry.get("to_s", float("inf")))
    if to_s <= entry["from_s"]:
        raise table.error(f"to_s is {to_s:g}, not after from_s")
    return Fault(cast(FaultKind, entry["kind"]), device, float(entry["from_s"]), to_s)
