"""Check `metrics`: each figure that a device gives, and those that it could give and doesn't.

Beside a value stands what it took to read it together with the others of its class, and, where the driver says so
(NVML's latencyUsec), how long this very figure took it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steelyard_agent.devices.absence import reason
from steelyard_agent.devices.errand import Outcome
from steelyard_agent.doctor.finding import Detail, Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.probe import Probe
from steelyard_agent.model import Absent, DeviceInfo, Value
from steelyard_proto.metrics import Metric, catalogue
from steelyard_proto.units import format_value


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Value
    seconds: float
    driver_us: float | None


def check_metrics(node: Node) -> Sequence[Finding]:
    """One finding for each metric of each kind of device, over all devices of the kind."""
    findings: list[Finding] = []
    for probe in node.probes:
        kinds: dict[tuple[str, str, tuple[str, ...]], list[DeviceInfo]] = {}
        for info in probe.devices:
            kinds.setdefault((info.vendor, info.chip or info.name or info.kind, tuple(info.metrics)), []).append(info)
        for (vendor, label, _classes), devices in kinds.items():
            findings += _of_kind(probe, label, devices)
            findings += _never_given(probe.source, label, vendor, devices)
            findings += _processes(probe, label, devices)
    return findings


def _of_kind(probe: Probe, label: str, devices: Sequence[DeviceInfo]) -> Iterator[Finding]:
    answers: dict[int, dict[str, _Answer]] = {}
    for info in devices:
        for metric_class, ids in info.metrics.items():
            outcome = probe.answers.get((info.uid, metric_class))
            for number, value in zip(ids, _values(outcome, len(ids)), strict=False):
                driver_us = probe.latencies_us.get(info.uid, {}).get(number)
                answer = _Answer(value, outcome.seconds if outcome else 0.0, driver_us)
                answers.setdefault(number, {})[info.uid] = answer
    for number in sorted(answers):
        yield _finding(_part(probe.source, label, devices), catalogue().by_id[number], answers[number])


def _values(outcome: Outcome | None, count: int) -> Sequence[Value]:
    if outcome is None:
        return (Absent("not reached"),) * count
    if outcome.error is not None:
        return (Absent(reason(outcome.error)),) * count
    assert isinstance(outcome.value, Sequence)
    return outcome.value


def _part(source: str, label: str, devices: Sequence[DeviceInfo]) -> str:
    return f"{source} {label}" + (f", {len(devices)} devices" if len(devices) > 1 else "")


def _finding(part: str, metric: Metric, answers: dict[str, _Answer]) -> Finding:
    there = [answer.value for answer in answers.values() if not isinstance(answer.value, Absent)]
    reasons = sorted({answer.value.reason for answer in answers.values() if isinstance(answer.value, Absent)})
    slowest_ms = max(answer.seconds for answer in answers.values()) * 1e3
    details: dict[str, Detail] = {
        "metric": metric.name,
        "unit": metric.unit,
        "lowest": min(there, default=None),
        "highest": max(there, default=None),
        "devices": len(answers),
        "absent": len(answers) - len(there),
        "class_ms": round(slowest_ms, 3),
    }
    if not there:
        return Finding("metrics", "note", f"absent: {'; '.join(reasons)}", metric.name, details=details, part=part)
    low, high = (format_value(float(value), metric.unit) for value in (min(there), max(there)))
    text = (low if low == high else f"{low} to {high}") + f", in {slowest_ms:.1f} ms"
    driver_us = [answer.driver_us for answer in answers.values() if answer.driver_us is not None]
    if driver_us:
        details["driver_us"] = max(driver_us)
        text += f" (driver: {max(driver_us):.0f} us)"
    if not reasons:
        return Finding("metrics", "ok", text, metric.name, details=details, part=part)
    gone = f"{len(answers) - len(there)} of {len(answers)} without: {'; '.join(reasons)}"
    return Finding("metrics", "note", f"{text}; {gone}", metric.name, details=details, part=part)


def _never_given(source: str, label: str, vendor: str, devices: Sequence[DeviceInfo]) -> Iterator[Finding]:
    given = {number for info in devices for ids in info.metrics.values() for number in ids}
    names = [
        metric.name
        for metric in catalogue().of("device")
        if vendor in metric.source and not metric.retired and metric.id not in given
    ]
    if devices[0].kind == "cpu":
        return
    by_reason: dict[str, list[str]] = {}
    for name in names:
        by_reason.setdefault(_noted(name, devices), []).append(name)
    part = _part(source, label, devices)
    for why, names in sorted(by_reason.items(), reverse=True):
        text = f"{why or 'by this chip, driver or version of ours'}: {', '.join(names)}"
        remedy = _SCRAPE if _NO_GPM in why else ""
        yield Finding("metrics", "note", text, "not given", remedy, {"not_given": " ".join(names)}, part)


def _noted(name: str, devices: Sequence[DeviceInfo]) -> str:
    """Why a metric is absent, where the source has said so when it described the devices."""
    notes = (info.notes.get(name, "") for info in devices)
    return next((note.removeprefix(_ABSENT) for note in notes if note.startswith(_ABSENT)), "")


def _processes(probe: Probe, label: str, devices: Sequence[DeviceInfo]) -> Iterator[Finding]:
    outcomes = [probe.holders[info.uid] for info in devices if info.uid in probe.holders]
    if not outcomes:
        return
    part = _part(probe.source, label, devices)
    absent = {outcome.value.reason for outcome in outcomes if isinstance(outcome.value, Absent)}
    absent |= {reason(outcome.error) for outcome in outcomes if outcome.error is not None}
    if absent:
        text = f"not known: {'; '.join(sorted(absent))}"
        yield Finding("metrics", "warning", text, "processes (who)", _WHO, part=part)
        return
    count = sum(len(outcome.value) for outcome in outcomes if isinstance(outcome.value, Sequence))
    yield Finding("metrics", "ok", str(count), "processes (who)", details={"count": count}, part=part)


_ABSENT = "absent: "
_NO_GPM = "no GPM before Hopper"
_SCRAPE = "where dcgm-exporter runs on this node, `scrape` under [sources] takes them from it"
_WHO = "run the agent on the host, or with its process ids (--pid=host, hostPID: true)"
