"""Small traces as torch.profiler writes them, of events that a test names."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def call(
    name: str, start_ns: int, duration_ns: int, category: str = "cpu_op", tid: int = 1, **arguments: Any
) -> dict[str, Any]:
    """A call on the host."""
    return {
        "ph": "X", "cat": category, "name": name, "pid": 100, "tid": tid, "ts": start_ns, "dur": duration_ns,
        "args": arguments,
    }  # fmt: skip


def kernel(
    name: str,
    start_ns: int,
    duration_ns: int,
    correlation: int,
    category: str = "kernel",
    device: int = 0,
    **arguments: Any,
) -> dict[str, Any]:
    """Work of a device."""
    given = {"correlation": correlation, "device": device, **arguments}
    return {
        "ph": "X", "cat": category, "name": name, "pid": device, "tid": 7, "ts": start_ns, "dur": duration_ns,
        "args": given,
    }  # fmt: skip


def launch(start_ns: int, duration_ns: int, correlation: int) -> dict[str, Any]:
    """The call that starts work of a device."""
    return call("cudaLaunchKernel", start_ns, duration_ns, "cuda_runtime", correlation=correlation)


def microseconds(ns: int) -> str:
    """As Kineto prints times."""
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    return f"{sign}{ns // 1000}.{ns % 1000:03d}"


def trace_text(
    events: Iterable[Mapping[str, Any]],
    *,
    pretty: bool = True,
    facts_behind: bool = False,
    facts: Mapping[str, Any] | None = None,
) -> str:
    """A whole trace; `ts` and `dur` of the events are nanoseconds, and are written in microseconds."""
    told = json.dumps({"schemaVersion": 1, **(facts or {})})[1:-1]
    rows = [_event(event, pretty) for event in events]
    joint = ",\n  " if pretty else ", "
    listed = f'"traceEvents": [{joint[1:]}{joint.join(rows)}{joint[1:]}]'
    parts: Sequence[str] = (listed, told) if facts_behind else (told, listed)
    return "{" + ", ".join(parts) + "}"


def _event(event: Mapping[str, Any], pretty: bool) -> str:
    times = {key: microseconds(event[key]) for key in ("ts", "dur") if isinstance(event.get(key), int)}
    rest = {key: value for key, value in event.items() if key not in times}
    text = json.dumps(rest, indent=4 if pretty else None)
    written = ", ".join(f'"{key}": {value}' for key, value in times.items())
    return text[:-1].rstrip() + (", " if rest else "") + written + ("\n  }" if pretty else "}") if times else text
