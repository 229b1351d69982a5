"""Reads a fleet from a TOML file; demo.toml is one, and explains the form."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from steelyard_agent.devices.simulator.faults import Fault
from steelyard_agent.devices.simulator.source import find_chip
from steelyard_agent.simulate.plan import FleetPlan, NodePlan, place
from steelyard_agent.simulate.plan_fault import read_fault
from steelyard_agent.simulate.plan_job import read_jobs
from steelyard_agent.simulate.plan_table import Table
from steelyard_proto.chips import load_chips
from steelyard_proto.errors import ConfigError

DEMO: Final = "demo"
_TABLES: Final = ("nodes", "workload", "job", "fault")


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
    if unknown := sorted(document.keys() - set(_TABLES)):
        raise ConfigError(f"unknown table {unknown[0]!r}; known are {', '.join(_TABLES)}", path=path)
    nodes = [node for table in _tables(document, "nodes", path) for node in _nodes(table)]
    if not nodes:
        raise ConfigError("has no [[nodes]]", path=path)
    by_name = {node.name: node for node in nodes}
    if len(by_name) < len(nodes):
        raise ConfigError("two [[nodes]] have the same prefix", path=path)
    jobs = read_jobs(_tables(document, "workload", path), _tables(document, "job", path), by_name)
    faults: dict[str, list[Fault]] = {}
    for table in _tables(document, "fault", path):
        fault = read_fault(table, by_name)
        faults.setdefault(table.entry["node"], []).append(fault)
    return place(nodes, jobs, faults)


def _tables(document: Mapping[str, Any], name: str, path: str) -> list[Table]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"write it as [[{name}]]", path=path, key=name)
    return [Table(path, f"{name} {number}", entry) for number, entry in enumerate(entries, 1)]


def _nodes(table: Table) -> list[NodePlan]:
    table.check(("prefix", "count", "chip", "devices"), ())
    entry = table.entry
    chip = find_chip(load_chips(), entry["chip"])
    return [NodePlan(f"{entry['prefix']}-{n}", chip.name, entry["devices"]) for n in range(1, entry["count"] + 1)]
