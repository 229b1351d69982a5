"""Totals of a trace by the plainest code there is: json.load, one stack, one sweep. What ours is compared with.

As a program it prints them as JSON: `python -m tests.bench.load.plain_totals TRACE`.
"""

import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Span = tuple[int, int]
_HOST = {"cpu_op", "python_function", "user_annotation", "cuda_runtime", "cuda_driver"}
_COPIES = {"gpu_memcpy", "gpu_memset"}


def kineto_totals(path: Path) -> dict[str, Any]:
    """Totals of a trace of torch.profiler in integer nanoseconds."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        document = json.load(file, parse_float=str, parse_int=str)
    events = [event for event in document["traceEvents"] if event.get("ph") == "X"]
    for event in events:
        event["start"], event["length"] = to_ns(event["ts"]), to_ns(event["dur"])
    work = [event for event in events if event["cat"] == "kernel" or event["cat"] in _COPIES]
    kernels = [event for event in work if event["cat"] == "kernel"]
    by_type: dict[str, int] = defaultdict(int)
    for event in work:
        by_type[event["name"]] += event["length"]
    collectives = [span_of(event) for event in kernels if "nccl" in event["name"].lower()]
    computing = [span_of(event) for event in kernels if "nccl" not in event["name"].lower()]
    window = (min(event["start"] for event in work), max(span_of(e)[1] for e in work)) if work else (0, 0)
    return {
        "self": _self_times([event for event in events if event["cat"] in _HOST]),
        "by_type": dict(by_type),
        **split_totals(computing, collectives, [span_of(e) for e in work if e["cat"] in _COPIES], window),
    }


def split_totals(computing: list[Span], collectives: list[Span], copies: list[Span], window: Span) -> dict[str, int]:
    """The split of a window by a sweep over all begins and ends."""
    compute, communication = _union(computing), _union(collectives)
    either, everything = _union(computing + collectives), _union(computing + collectives + copies)
    return {
        "kernels": len(computing) + len(collectives),
        "kernels_ns": sum(end - begin for begin, end in computing + collectives),
        "compute_ns": compute,
        "communication_ns": communication,
        "overlapped_ns": compute + communication - either,
        "exposed_ns": either - compute,
        "memory_copy_ns": everything - either,
        "idle_ns": window[1] - window[0] - everything,
        "window_ns": window[1] - window[0],
    }


def span_of(event: dict[str, Any]) -> Span:
    """From when to when."""
    return event["start"], event["start"] + event["length"]


def to_ns(microseconds: str) -> int:
    """Decimal microseconds by their digits."""
    whole, _, part = str(microseconds).strip().partition(".")
    return int(whole) * 1000 + int((part + "000")[:3])


def _union(spans: Iterable[Span]) -> int:
    total, reached = 0, -(2**63)
    for begin, end in sorted(spans):
        total += max(end - max(begin, reached), 0)
        reached = max(reached, end)
    return total


def _self_times(calls: list[dict[str, Any]]) -> dict[str, int]:
    threads: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        threads[call["pid"], call["tid"]].append(call)
    left: dict[str, int] = defaultdict(int)
    for members in threads.values():
        members.sort(key=lambda call: (call["start"], -call["length"]))
        stack: list[tuple[int, str]] = []
        for call in members:
            begin, end = call["start"], call["start"] + call["length"]
            while stack and stack[-1][0] <= begin:
                stack.pop()
            if stack:
                end = min(end, stack[-1][0])
                left[stack[-1][1]] -= end - begin
            left[call["name"]] += end - begin
            stack.append((end, call["name"]))
    return dict(left)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(kineto_totals(Path(sys.argv[1]))))
