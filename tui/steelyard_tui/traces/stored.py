"""Profiles that a collector keeps, one or the sums of many, as if they were one recording."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from string import Template
from typing import TYPE_CHECKING, Any, Final, Literal

from steelyard_proto.errors import StoreError
from steelyard_tui.queries import read_query

if TYPE_CHECKING:
    from steelyard_traces.profile import Calls, Part, Profile, Rate, Split, Stack, Work
    from steelyard_tui.client import Client

StackKind = Literal["device", "host", "sampled"]
KINDS: Final[tuple[StackKind, ...]] = ("device", "host", "sampled")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LAYERS: Final = {"compute": 0, "communication": 1, "memory copy": 2, "idle": 3, "host": 4}
_FOR_EVER_MS: Final = 4_102_444_800_000
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which windows.

    Attributes:
        job: all of this job's; empty where `profiles` names them.
        profiles: these.
        from_ms: Unix time from which on.
        rank: of this rank alone.
        is_newest: the newest of them alone.
        otherwise: what is meant where there are none.
    """

    job: str = ""
    profiles: tuple[str, ...] = ()
    from_ms: int = 0
    rank: int | None = None
    is_newest: bool = False
    otherwise: "Wanted | None" = None

    @property
    def parameters(self) -> dict[str, str]:
        """Of the queries."""
        return {
            "job": self.job,
            "profiles": ",".join(self.profiles),
            "from_ms": str(self.from_ms),
            "to_ms": str(_FOR_EVER_MS),
            "rank": str(-1 if self.rank is None else self.rank),
        }


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """What was found.

    Attributes:
        stacks: those of a kind; of the first kind that there is where none is named.
        tokens_per_step: on one device; None where the job's tokens aren't known.
        origin: measured, simulated or replayed.
    """

    profile: "Profile"
    stacks: "Callable[..., tuple[Stack, ...]]"
    tokens_per_step: float | None
    origin: str


def wanted_of(name: str, from_ms: int, *, rank: int | None = None, is_newest: bool = False) -> Wanted:
    """A profile's id names that one, whenever it was; anything else is a job, which may have such an id too."""
    job = Wanted(job=name, from_ms=from_ms, rank=rank, is_newest=is_newest)
    return Wanted(profiles=(name.lower(),), otherwise=job) if _UUID.fullmatch(name) else job


def stored_of(client: "Client", profiles: Sequence[str]) -> list[str]:
    """Which of these are stored so far, those with operators first; raises as `read_stored`."""
    rows = _asked(client, "stored_ids", Wanted(profiles=tuple(profiles)).parameters)
    return [row["profile"] for row in rows]


def read_stored(client: "Client", wanted: Wanted) -> StoredRecording:
    """Reads the sums of the windows that can be added up: one kind of chip, with a device where any has one.

    Raises:
        StoreError: there are none, or the collector refuses a query.
        TransportError: no collector answers.
    """
    if wanted.is_newest:
        newest = _asked(client, "stored_newest", wanted.parameters)
        wanted = replace(wanted, job="", profiles=tuple(row["profile"] for row in newest)) if newest else wanted
    groups = _asked(client, "stored_windows", wanted.parameters)
    if not groups and wanted.otherwise is not None and not _failed(client, wanted)["failed"]:
        return read_stored(client, wanted.otherwise)
    if not groups:
        raise _none_there(client, wanted)
    row = groups[0]
    chosen = wanted.parameters | {
        "from_ms": str(_ms(row["from_ts"])), "to_ms": str(_ms(row["to_ts"])), "chip": row["chip"],
        "origin": row["origin"] or "", "has_device": str(row["has_device"]).lower(),
        "has_steps": str(row["has_steps"]).lower(),
    }  # fmt: skip
    parts = _parts(_asked(client, "stored_parts", chosen))
    sums = _asked(client, "stored_ops", chosen)
    # Sampled in windows of their own, with neither device nor steps: those of the whole job are shown beside its sums.
    own = wanted.parameters | {"origin": row["origin"] or ""}
    rates, too_old = _rates(client, own)
    profile = _profile(row, parts, sums, rates, (*row["notes"], *_left_out(groups), *too_old))

    def stacks(kind: StackKind | None = None) -> "tuple[Stack, ...]":
        return _stacks(_asked(client, "stored_stacks", chosen), kind, row["sampled_hz"])

    steps = row["device_steps"]
    tokens_per_step = row["tokens"] / steps if row["tokens"] and steps else None
    return StoredRecording(profile, stacks, tokens_per_step, row["origin"] or "unknown")


def _asked(client: "Client", query: str, parameters: Mapping[str, str]) -> list[Row]:
    sql = Template(read_query(query)).safe_substitute(chosen=read_query("stored_chosen"))
    rows: list[Row] = client.sql(sql, parameters).table.to_pylist()
    return rows


def _failed(client: "Client", wanted: Wanted) -> Row:
    (row,) = _asked(client, "stored_failed", wanted.parameters)
    return row


def _none_there(client: "Client", wanted: Wanted) -> StoreError:
    what = f"job {wanted.job!r}" if wanted.job else f"profile {', '.join(wanted.profiles)}"
    failed = _failed(client, wanted)
    if failed["failed"]:
        why = f"{failed['failed']} failed, the newest: {failed['reason']}"
        return StoreError(f"no window of {what} was stored; {why}", name="NOT_FOUND")
    how = f"`steelyard profile {wanted.job}` records one" if wanted.job else "`profiles` in SQL lists them"
    return StoreError(f"there is no profile of {what} in that time; {how}", name="NOT_FOUND")


def _left_out(groups: Sequence[Row]) -> Iterable[str]:
    others = sum(group["with_sums"] for group in groups[1:])
    if others:
        yield f"{others} windows are left out: of another chip, without a device, or without steps"


def _profile(
    row: Row, parts: "tuple[Part, ...]", sums: Sequence[Row], rates: "tuple[Rate, ...]", notes: tuple[str, ...]
) -> "Profile":
    from steelyard_traces.profile import Profile

    is_even = row["least_devices"] == row["most_devices"]
    devices = 0 if not row["has_device"] else row["most_devices"] if is_even else 1
    steps = row["steps"] if is_even or not row["has_device"] else row["device_steps"]
    return Profile(
        path=_label(row),
        format=row["format"] or "",
        chip=row["chip"] or row["trace_chip"] or "",
        rank="" if row["rank"] is None or row["ranks"] > 1 else str(row["rank"]),
        devices=devices,
        window_ns=sum(part.duration_ns for part in parts),
        step_count=steps if row["has_steps"] else None,
        steps=(),
        has_timeline=bool(row["has_timeline"]),
        kernels=row["kernels"] or 0,
        kernels_ns=row["kernels_ns"],
        split=_split(row, sum(part.duration_ns for part in parts)),
        parts=parts,
        operators=_works(sums, "operator"),
        types=_works(sums, "type"),
        cores=_works(sums, "core"),
        calls=_calls(sums),
        notes=notes,
        rates=rates,
    )


def _rates(client: "Client", parameters: Mapping[str, str]) -> "tuple[tuple[Rate, ...], tuple[str, ...]]":
    """The rates, and a note in their place where the collector doesn't know the view."""
    from steelyard_traces.profile import Rate

    try:
        return tuple(Rate(**row) for row in _asked(client, "stored_rates", parameters)), ()
    except StoreError as error:
        if "UNKNOWN_TABLE" not in str(error):
            raise
        return (), ("no rates of memory and links: the collector is older and has no view `rates`; update it",)


def _label(row: Row) -> str:
    # First, so that no narrow screen cuts it off.
    origin = "" if row["origin"] == "measured" else f"{row['origin'] or 'of unknown origin'} "
    first, last = (f"{row[name]:%Y-%m-%d %H:%M:%S}" for name in ("from_ts", "to_ts"))
    job = f"job{'s' * (len(row['jobs']) > 1)} {', '.join(row['jobs'])}" if row["jobs"] else "a process without a job"
    if row["windows"] == 1:
        return f"{origin}profile {row['profile']} of {job} on {row['node'] or 'an unknown node'}, {first} UTC"
    return f"{origin}{job}, {row['windows']} windows from {first} to {last} UTC"


def _split(row: Row, window_ns: int) -> "Split | None":
    from steelyard_traces.profile import Split

    names = ("compute_ns", "communication_ns", "overlapped_ns", "memory_copy_ns", "gaps", "longest_gap_ns")
    values = [row[name] for name in names]
    return None if not row["has_device"] or None in values else Split(window_ns, *values)


def _parts(rows: Iterable[Row]) -> "tuple[Part, ...]":
    from steelyard_traces.profile import Part

    parts = [Part(row["layer"], row["class"], row["duration_ns"]) for row in rows]
    return tuple(sorted(parts, key=lambda part: (_LAYERS.get(part.layer, 9), -part.duration_ns, part.name)))


def _works(rows: Iterable[Row], by: str) -> "tuple[Work, ...]":
    from steelyard_traces.profile import Work

    return tuple(
        Work(
            name=row["name"],
            class_name=row["class"],
            core=row["core"],
            count=row["calls"],
            total_ns=row["total_ns"],
            min_ns=row["min_ns"] or 0,
            max_ns=row["max_ns"] or 0,
            flops=row["flops"],
            shapes=row["shapes"] or "",
            precision=row["precision"] or "",
        )
        for row in rows
        if row["by"] == by
    )


def _calls(rows: Iterable[Row]) -> "tuple[Calls, ...]":
    from steelyard_traces.profile import Calls

    return tuple(
        Calls(
            name=row["name"],
            class_name=row["class"],
            category=row["core"],
            count=row["calls"],
            total_ns=row["total_ns"],
            self_ns=row["self_ns"] or 0,
            min_ns=row["min_ns"] or 0,
            max_ns=row["max_ns"] or 0,
        )
        for row in rows
        if row["by"] == "call"
    )


def _stacks(rows: Sequence[Row], kind: StackKind | None, sampled_hz: float | None) -> "tuple[Stack, ...]":
    from steelyard_traces.profile import Stack

    there = [one for one in KINDS if any(row["kind"] == one for row in rows)]
    shown = kind or (there[0] if there else "device")
    # A sample stands for the time until the next.
    each_ns = 1e9 / sampled_hz if sampled_hz else 1.0
    return tuple(
        Stack(tuple(row["frames"]), round(row["samples"] * each_ns) if shown == "sampled" else row["duration_ns"])
        for row in rows
        if row["kind"] == shown
    )


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
