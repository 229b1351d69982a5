"""What the reader of traces found, as rows of the contract."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from steelyard_agent.profiling.window import Window
from steelyard_proto.v1 import batch_pb2

# A trace of sound training has some hundred of each; more would crowd the spool.
_MOST_ROWS: Final = 5_000
_MOST_STACKS: Final = 5_000
_MOST_FRAMES: Final = 200
_LONGEST_NAME: Final = 512
_TOTALS: Final = (
    "window_ns", "compute_ns", "communication_ns", "overlapped_ns", "memory_copy_ns", "idle_ns", "kernels",
    "kernels_ns", "gaps", "longest_gap_ns", "data_wait_ns",
)  # fmt: skip
_TABLES: Final = (("by_operator", "operator"), ("by_type", "type"), ("by_core", "core"), ("calls", "call"))

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of one window; they have no device yet."""

    profile: batch_pb2.Profile
    rows: tuple[batch_pb2.ProfileRow, ...] = ()
    stacks: tuple[batch_pb2.Stack, ...] = ()


def result_of(document: Document, profile: batch_pb2.Profile) -> Result:
    """The rows of a profile that was read; fills in what the trace tells.

    Args:
        document: of steelyard_traces.document.
        profile: of the window, as `profile_of` makes it.

    Raises:
        KeyError, TypeError, ValueError: the document isn't of that form.
    """
    totals = document["totals"]
    for name in _TOTALS:
        if totals.get(name) is not None:
            setattr(profile, name, totals[name])
    profile.format, profile.chip = document["format"], document["chip"] or ""
    profile.devices = document["devices"]
    if document["steps"] is not None:
        profile.steps = document["steps"]
    profile.notes.extend(str(note)[:_LONGEST_NAME] for note in document["notes"])
    rows = [_part(profile, part) for part in document["by_class"]]
    for table, by in _TABLES:
        rows += [_sum(profile, by, entry) for entry in document[table]]
    told = document.get("stacks") or ()
    stacks = [_stack(profile, entry) for entry in told[:_MOST_STACKS]]
    for what, count, most in (("rows", len(rows), _MOST_ROWS), ("stacks", len(told), _MOST_STACKS)):
        if count > most:
            profile.notes.append(f"{count} {what} were found; the first {most} are kept")
    if document.get("stacks_summed"):
        profile.notes.append(f"{document['stacks_summed']} more paths of calls are one sum")
    profile.rates.extend(_rate(rate) for rate in document["rates"])
    return Result(profile, tuple(rows[:_MOST_ROWS]), tuple(stacks))


def profile_of(window: Window, written_ms: int, run: str) -> batch_pb2.Profile:
    """The row of a window that has ended, well or not."""
    who, ranks = window.who, window.who.ranks
    return batch_pb2.Profile(
        ts_ms=window.begin_ms,
        id=window.id,
        written_ms=written_ms,
        pid=who.pid,
        start_ms=who.start_ms,
        job=who.job.id,
        run=run or who.job.id,
        rank=ranks.rank,
        world_size=ranks.world_size,
        profiler=window.tool,
        cause=window.cause,
        state="failed" if window.state == "failed" else "stored",
        reason=window.text if window.state == "failed" else "",
        to_ms=window.end_ms,
        with_stacks=window.spec.with_stacks,
        with_shapes=window.spec.with_shapes,
        trace_bytes=window.trace_bytes,
        notes=window.notes,
    )


def is_empty(document: Document) -> bool:
    """Whether nothing at all ran in the window."""
    return not (document["totals"].get("window_ns") or document["calls"] or document["rates"])


def _rate(told: Document) -> batch_pb2.Rate:
    rate = batch_pb2.Rate(
        index=told["device"],
        link=told["link"],
        direction=told["direction"],
        part=told["part"][:_LONGEST_NAME],
        mean_bytes_per_s=told["mean_bytes_per_s"],
    )
    for name in ("min_bytes_per_s", "max_bytes_per_s", "samples"):
        if told[name] is not None:
            setattr(rate, name, told[name])
    return rate


def _part(profile: batch_pb2.Profile, part: Document) -> batch_pb2.ProfileRow:
    row = _row(profile, "part", part["class"], part["total_ns"])
    row.layer = part["layer"]
    return row


def _sum(profile: batch_pb2.Profile, by: str, entry: Document) -> batch_pb2.ProfileRow:
    row = _row(profile, by, entry["name"], entry["total_ns"])
    row.count = entry["count"]
    row.class_name = entry.get("class") or ""
    row.core = entry.get("core") or entry.get("category") or ""
    row.shapes = str(entry.get("shapes") or "")[:_LONGEST_NAME]
    row.precision = entry.get("precision") or ""
    for name in ("self_ns", "min_ns", "max_ns", "flops"):
        if entry.get(name) is not None:
            setattr(row, name, entry[name])
    return row


def _row(profile: batch_pb2.Profile, by: str, name: str, total_ns: int) -> batch_pb2.ProfileRow:
    row = batch_pb2.ProfileRow(
        ts_ms=profile.ts_ms, profile=profile.id, job=profile.job, by=by, name=name[:_LONGEST_NAME], total_ns=total_ns
    )
    if profile.HasField("rank"):
        row.rank = profile.rank
    return row


def _stack(profile: batch_pb2.Profile, entry: Document) -> batch_pb2.Stack:
    frames: Iterable[str] = entry["frames"][:_MOST_FRAMES]
    stack = batch_pb2.Stack(
        ts_ms=profile.ts_ms,
        profile=profile.id,
        job=profile.job,
        kind=entry.get("kind") or ("device" if profile.devices else "host"),
        frames=[frame[:_LONGEST_NAME] for frame in frames],
        duration_ns=entry["duration_ns"],
    )
    if profile.HasField("rank"):
        stack.rank = profile.rank
    return stack
