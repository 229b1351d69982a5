"""Reads the jobs of a fleet's file, and the workloads that several of them may share."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from steelyard_agent.devices.simulator.source import find_chip
from steelyard_agent.devices.simulator.workload import Workload
from steelyard_agent.jobs.identity import Scheduler
from steelyard_agent.simulate.plan import JobPlan, NodePlan, NodeSpan
from steelyard_agent.simulate.plan_table import TRAINING, WORKLOAD, Table
from steelyard_proto.chips import load_chips

_SCHEDULERS: Final = get_args(Scheduler)
_SPAN: Final = re.compile(r"(.+):(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A [[workload]].

    Attributes:
        common: keys and values of each of its jobs.
        tokens_per_device: of a step.
        on: by chip, how fast a device is, and what its jobs have of their own there.
    """

    common: Mapping[str, Any]
    tokens_per_device: int
    on: Mapping[str, Mapping[str, Any]]


def read_jobs(kinds: Iterable[Table], jobs: Iterable[Table], nodes: Mapping[str, NodePlan]) -> list[JobPlan]:
    """The jobs of a file.

    Args:
        kinds: the tables [[workload]].
        jobs: the tables [[job]].
        nodes: by name.

    Raises:
        ConfigError: something makes no sense, or a device is of two jobs.
    """
    known: dict[str, _Kind] = {}
    for table in kinds:
        kind = _kind(table)
        if table.entry["name"] in known:
            raise table.error(f"the name {table.entry['name']!r} stands twice")
        known[table.entry["name"]] = kind
    found: list[JobPlan] = []
    holders: dict[tuple[str, int], str] = {}
    for table in jobs:
        job = _job(table, known, nodes)
        if any(job.id == other.id for other in found):
            raise table.error(f"the id {job.id!r} stands twice")
        for node, index in _devices(job.nodes, nodes):
            if (node, index) in holders:
                raise table.error(f"{node}:{index} is {holders[node, index]}'s already")
            holders[node, index] = job.name
        found.append(job)
    return found


def _kind(table: Table) -> _Kind:
    optional = (*(key for key in TRAINING if key != "tokens_per_step"), *WORKLOAD)
    table.check(("name", "tokens_per_device", "on"), optional)
    on: dict[str, Mapping[str, Any]] = {}
    for name, values in table.entry["on"].items():
        part = Table(table.path, f"{table.label}, on.{name}", values if isinstance(values, dict) else {})
        part.check(("tokens_per_s_device",), WORKLOAD)
        on[find_chip(load_chips(), name).name] = part.entry
    common = {key: table.entry[key] for key in optional if key in table.entry}
    return _Kind(common, table.entry["tokens_per_device"], on)


def _job(table: Table, kinds: Mapping[str, _Kind], nodes: Mapping[str, NodePlan]) -> JobPlan:
    entry = table.entry
    if "workload" in entry:
        table.check(("workload", "nodes"), ("name", "id", "scheduler", "user", "pace", "from_s", "to_s"))
    else:
        table.check(("name", "nodes"), ("id", "scheduler", "user", *TRAINING, *WORKLOAD))
    spans = tuple(_span(table, text, nodes) for text in entry["nodes"])
    if entry.get("scheduler", "slurm") not in _SCHEDULERS:
        raise table.error(f"scheduler is {entry['scheduler']!r}; give one of {', '.join(_SCHEDULERS)}")
    name = entry.get("name") or entry["workload"]
    values = {**_shared(table, kinds, spans, nodes), **entry} if "workload" in entry else entry
    return JobPlan(
        id=entry.get("id") or name,
        name=name,
        nodes=spans,
        scheduler=cast(Scheduler, entry.get("scheduler", "slurm")),
        user=entry.get("user", ""),
        pace=entry.get("pace", 1.0),
        workload=Workload(**{key: values[key] for key in WORKLOAD if key in values}),
        **{key: values[key] for key in TRAINING if key in values},
    )


def _shared(
    table: Table, kinds: Mapping[str, _Kind], spans: Sequence[NodeSpan], nodes: Mapping[str, NodePlan]
) -> Mapping[str, Any]:
    """What a job has from its workload on its chip."""
    name = table.entry["workload"]
    kind = kinds.get(name)
    if kind is None:
        raise table.error(f"no workload is called {name!r}; known are {', '.join(kinds) or 'none'}")
    chips = sorted({nodes[span.node].chip for span in spans})
    if len(chips) != 1 or chips[0] not in kind.on:
        raise table.error(f"it runs on {' and '.join(chips)}; {name} says how fast one of {', '.join(kind.on)} is")
    own = dict(kind.on[chips[0]])
    rate = own.pop("tokens_per_s_device") * table.entry.get("pace", 1.0)
    devices = len(list(_devices(spans, nodes)))
    step_s = kind.tokens_per_device / rate
    return {**kind.common, **own, "tokens_per_step": kind.tokens_per_device * devices, "step_s": step_s}


def _span(table: Table, text: object, nodes: Mapping[str, NodePlan]) -> NodeSpan:
    found = _SPAN.fullmatch(str(text))
    name = found[1] if found else str(text)
    if name not in nodes:
        raise table.error(f"no node is called {name!r}")
    if found is None:
        return NodeSpan(name)
    first, last = int(found[2]), int(found[3])
    if not first <= last < nodes[name].devices:
        raise table.error(f"{text}: {name} has 0 to {nodes[name].devices - 1}")
    return NodeSpan(name, first, last - first + 1)


def _devices(spans: Iterable[NodeSpan], nodes: Mapping[str, NodePlan]) -> Iterator[tuple[str, int]]:
    for span in spans:
        count = nodes[span.node].devices - span.first if span.count is None else span.count
        yield from ((span.node, index) for index in range(span.first, span.first + count))
