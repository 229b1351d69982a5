"""What is learnt of groups of peers, and how it outlives the process: a row a group and signal in the store."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steelyard_collector.store.base import Store
from steelyard_collector.store.statements import statement
from steelyard_collector.straggler_windows import quoted
from steelyard_efficiency.straggler_windows import Cause
from steelyard_efficiency.stragglers import HALF_HOURS, MINUTES, Detector, Noise, Pace

CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
PACES: Final[dict[Cause, Pace]] = {"clock": MINUTES, "host": MINUTES, "link": HALF_HOURS}

Values = npt.NDArray[np.float64]
# Job, vendor, chip, pipeline stage.
GroupKey = tuple[str, str, str, int]

_FLOATS: Final[Any] = pa.list_(pa.float64())
_COUNTS: Final[Any] = pa.list_(pa.uint32())
_SCHEMA: Final = pa.schema(
    [("job", pa.string()), ("vendor", pa.string()), ("chip", pa.string()), ("stage", pa.int32()),
     ("cause", pa.string()), ("devices", _COUNTS), ("next_minute", pa.uint32()), ("baseline_sum", _FLOATS),
     ("baseline_minutes", _COUNTS), ("score", _FLOATS), ("rising_since", _COUNTS), ("noise_change_sum", pa.float64()),
     ("noise_far_sum", pa.float64()), ("noise_minutes", pa.uint32()), ("absent", pa.string()),
     ("ver", pa.uint64())]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signal:
    """What is known of one signal of a group.

    Attributes:
        detector: of who became slow.
        rising_since: the minute from which each score rises.
        window: the newest values, which tell who is slow by nature.
        absent: why there was no newest value; else empty.
    """

    detector: Detector
    rising_since: npt.NDArray[np.int64]
    window: Values
    absent: str = ""

    @classmethod
    def start(cls, ranks: int, pace: Pace) -> "Signal":
        """One that has seen nothing."""
        return cls(
            Detector.start(ranks, pace), np.zeros(ranks, np.int64), np.zeros((0, ranks)), "it was not looked at yet"
        )

    @property
    def is_full(self) -> bool:
        """Whether it tells who is slow by nature."""
        return len(self.window) >= 2 * self.detector.pace.half

    def after(self, minute: int, values: Values) -> "Signal":
        """With one more minute; one in which nobody told anything doesn't count."""
        if not np.isfinite(values).any():
            return self if self.absent else replace(self, absent="no rank told it in the newest minute")
        detector = self.detector.after(values)
        rising = np.where((self.detector.score <= 0) & (detector.score > 0), minute, self.rising_since)
        return Signal(detector, rising, np.vstack([self.window, values])[-2 * detector.pace.half :])


@dataclass(slots=True)
class Group:
    """Ranks of one job and pipeline stage on one kind of chip."""

    job: str
    devices: tuple[int, ...]
    ranks: tuple[int | None, ...]
    next_minute: int
    signals: dict[Cause, Signal] = field(default_factory=dict)
    tensor_parallel: int | None = None

    def place(self, members: Sequence[Mapping[str, Any]]) -> None:
        """Says which rank is on which device; `members` are in the devices' order."""
        self.ranks = tuple(row["rank"] for row in members)
        self.tensor_parallel = members[0]["tensor_parallel"]


def keep(store: Store, groups: Mapping[GroupKey, Group], now_ms: int) -> None:
    """Writes what was learnt.

    Raises:
        StoreError: the store refuses it; it is as it was.
    """
    rows = [
        {
            **dict(zip(("job", "vendor", "chip", "stage"), key, strict=True)),
            "cause": cause,
            "devices": group.devices,
            "next_minute": group.next_minute,
            "baseline_sum": signal.detector.baseline_sum,
            "baseline_minutes": signal.detector.baseline_minutes,
            "score": signal.detector.score,
            "rising_since": signal.rising_since,
            "noise_change_sum": signal.detector.noise.change_sum,
            "noise_far_sum": signal.detector.noise.far_sum,
            "noise_minutes": signal.detector.noise.minutes,
            "absent": signal.absent,
            "ver": now_ms,
        }
        for key, group in groups.items()
        for cause, signal in group.signals.items()
    ]
    store.insert("straggler_state", pa.Table.from_pylist(rows, _SCHEMA), token=f"straggler-state-{now_ms}")


def load(store: Store, keys: Collection[GroupKey]) -> dict[GroupKey, Group]:
    """The groups of these that something is known of, without the newest values; a signal that isn't kept begins anew.

    Raises:
        StoreError: the store can't be read.
    """
    if not keys:
        return {}
    jobs = ", ".join(map(quoted, sorted({key[0] for key in keys})))
    rows = store.query(statement("queries", "straggler_states", jobs=jobs)).to_pylist()
    found: dict[GroupKey, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["job"], row["vendor"], row["chip"], row["stage"]), []).append(row)
    return {key: _group(key, told) for key, told in found.items() if key in keys and _is_whole(told)}


def _is_whole(rows: Collection[Mapping[str, Any]]) -> bool:
    return len({(row["next_minute"], *row["devices"]) for row in rows}) == 1


def _group(key: GroupKey, rows: Iterable[Mapping[str, Any]]) -> Group:
    by_cause = {row["cause"]: row for row in rows}
    first = next(iter(by_cause.values()))
    devices = tuple(int(device) for device in first["devices"])
    signals = {
        cause: _signal(by_cause[cause], pace) if cause in by_cause else Signal.start(len(devices), pace)
        for cause, pace in PACES.items()
    }
    return Group(key[0], devices, (None,) * len(devices), int(first["next_minute"]), signals)


def _signal(row: Mapping[str, Any], pace: Pace) -> Signal:
    noise = Noise((), row["noise_change_sum"], row["noise_far_sum"], row["noise_minutes"])
    detector = Detector(
        np.array(row["baseline_sum"], np.float64),
        np.array(row["baseline_minutes"], np.int64),
        np.array(row["score"], np.float64),
        noise,
        pace,
    )
    return Signal(detector, np.array(row["rising_since"], np.int64), np.zeros((0, len(row["devices"]))), row["absent"])
