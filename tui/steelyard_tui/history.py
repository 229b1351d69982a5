"""History out of `device_history`: which level suits which window, the query, and the answer as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from steelyard_tui.client import Client
from steelyard_tui.queries import read_query

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """A length of history.

    Attributes:
        title: how it is named on screen.
        seconds: how far it reaches back.
        level: which level of `device_history` it is read from.
        level_s: the length of that level's buckets.
        marks: into how many parts a time axis divides it.
    """

    title: str
    seconds: int
    level: str
    level_s: int
    marks: int


# The 10 s level keeps only some of the metrics, so a device's plots use the others.
WINDOWS: Final = (
    Window("5 min", 300, "raw", 1, 5),
    Window("15 min", 900, "raw", 1, 3),
    Window("1 h", 3600, "raw", 1, 4),
    Window("6 h", 6 * 3600, "1m", 60, 3),
    Window("24 h", 24 * 3600, "1m", 60, 4),
    Window("7 d", 7 * 86400, "1h", 3600, 7),
    Window("30 d", 30 * 86400, "1h", 3600, 5),
)
# Of a whole fleet the raw level is too much to read for each second's glance.
FLEET_WINDOWS: Final = (
    Window("5 min", 300, "10s", 10, 5),
    Window("15 min", 900, "10s", 10, 3),
    Window("1 h", 3600, "10s", 10, 4),
    Window("6 h", 6 * 3600, "1m", 60, 3),
    Window("24 h", 24 * 3600, "1m", 60, 4),
    Window("7 d", 7 * 86400, "1h", 3600, 7),
)
# Steps are summed by the minute.
RATE_WINDOW: Final = Window("60 min", 3600, "1m", 60, 4)
RATE: Final = "tokens_per_s_device"
_RAW: Final = "raw"
# Of so many devices the newest minutes of raw rows are little to read, in windows where they would be missed.
_RAW_DEVICES: Final = 1000
_RAW_SECONDS: Final = 3600


def next_window(windows: Sequence[Window], window: Window) -> Window:
    """The window after this one, the first after the last."""
    return windows[(windows.index(window) + 1) % len(windows)]


def zoomed(windows: Sequence[Window], window: Window, by: int) -> Window:
    """The window so many places on; at the ends it stays."""
    return windows[max(0, min(windows.index(window) + by, len(windows) - 1))]


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over time, in buckets; NaN where it is absent."""

    mean: Floats
    low: Floats
    high: Floats

    @property
    def is_absent(self) -> bool:
        """Whether there is no figure at all."""
        return bool(np.isnan(self.mean).all())

    def only_mean(self) -> "Series":
        """The same without least and largest."""
        return Series(self.mean, self.mean, self.mean)


@dataclass(frozen=True, slots=True)
class History:
    """Figures over a window.

    Attributes:
        at_ms: the start of each bucket, Unix time.
        step_ms: the length of the buckets.
        from_ms: the start of the window.
        to_ms: its end.
        level: the level that they were read from.
        series: by metric.
    """

    at_ms: Floats
    step_ms: int
    from_ms: int
    to_ms: int
    level: str
    series: Mapping[str, Series]


def step_ms(window: Window, dots: int) -> int:
    """The length of a bucket: about one for each dot, never shorter than the level's own."""
    return int(max(window.level_s, -(-window.seconds // max(1, dots)))) * 1000


def _figures(metrics: Sequence[str]) -> str:
    return ",\n    ".join(
        f"avg({m}) AS m{i}, min({m}_min) AS l{i}, max({m}_max) AS h{i}" for i, m in enumerate(metrics)
    )


def read_device(
    client: Client, device_id: int, metrics: Sequence[str], window: Window, to_ms: int, dots: int
) -> History:
    """One device's history; where the window's level has nothing yet, what raw has.

    Raises:
        StoreError: the collector refuses the query.
        TransportError: the collector can't be reached.
    """
    query = read_query("device_history").replace("/*figures*/", _figures(metrics))
    for level in dict.fromkeys((window.level, _RAW)):
        step = step_ms(window, dots)
        parameters = _parameters(window, level, step, to_ms) | {"device": str(device_id)}
        table = client.sql(query, parameters).table
        if table.num_rows:
            break
    return _history(table, metrics, step, parameters)


def read_fleet(
    client: Client, metric: str, window: Window, to_ms: int, dots: int, devices: int | None = None
) -> dict[tuple[str, str, str, str], History]:
    """Each chip's history of one figure, by (vendor, chip, part, origin); raises like `read_device`.

    Buckets are closed two minutes after their end; what came since is read raw where the fleet has few `devices`.
    """
    query = read_query("fleet_history").replace("/*figures*/", _figures((metric,)))
    for level, level_s in dict.fromkeys(((window.level, window.level_s), ("10s", 10), ("raw", 1))):
        step = max(step_ms(window, dots), level_s * 1000)
        parameters = _parameters(window, level, step, to_ms)
        table = client.sql(query, parameters).table
        if table.num_rows:
            break
    found = _by_chip(table, metric, step, parameters)
    if level == _RAW or devices is None or devices > _RAW_DEVICES or window.seconds > _RAW_SECONDS or not found:
        return found
    since_ms = min(int(history.at_ms[-1]) for history in found.values()) + step
    recent = parameters | {"level": _RAW, "from_ms": str(since_ms)}
    newest = _by_chip(client.sql(query, recent).table, metric, step, recent)
    return {key: _joined(history, newest[key]) if key in newest else history for key, history in found.items()}


def _joined(history: History, newest: History) -> History:
    """A history with those buckets of another that come after it."""
    after = newest.at_ms > history.at_ms[-1]
    series = {
        name: Series(
            np.concatenate([one.mean, newest.series[name].mean[after]]),
            np.concatenate([one.low, newest.series[name].low[after]]),
            np.concatenate([one.high, newest.series[name].high[after]]),
        )
        for name, one in history.series.items()
    }
    return replace(history, at_ms=np.concatenate([history.at_ms, newest.at_ms[after]]), series=series)


def read_rates(client: Client, workload: str, window: Window, to_ms: int) -> dict[tuple[str, str, str, str], History]:
    """Each chip's tokens/s per device in one workload, by (vendor, chip, part, origin); raises like `read_device`."""
    parameters = _parameters(window, window.level, 1000 * window.level_s, to_ms) | {"workload": workload}
    table = client.sql(read_query("compare_lanes"), parameters).table
    return _by_chip(table, RATE, 1000 * window.level_s, parameters)


def _by_chip(
    table: pa.Table, metric: str, step: int, parameters: Mapping[str, str]
) -> dict[tuple[str, str, str, str], History]:
    keys = list(
        zip(*(map(_text, table.column(n).to_pylist()) for n in ("vendor", "chip", "part", "origin")), strict=True)
    )
    found: dict[tuple[str, str, str, str], History] = {}
    for key in dict.fromkeys(keys):
        rows = [index for index, other in enumerate(keys) if other == key]
        found[key] = _history(table.take(rows), (metric,), step, parameters)
    return found


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _parameters(window: Window, level: str, step: int, to_ms: int) -> dict[str, str]:
    return {
        "level": level,
        "step_ms": str(step),
        "from_ms": str(to_ms - window.seconds * 1000),
        "to_ms": str(to_ms),
    }


def _history(table: pa.Table, metrics: Sequence[str], step: int, parameters: Mapping[str, str]) -> History:
    def floats(name: str) -> Floats:
        return np.array(table.column(name).to_numpy(), dtype=np.float64)

    series = {
        metric: Series(floats(f"m{index}"), floats(f"l{index}"), floats(f"h{index}"))
        for index, metric in enumerate(metrics)
    }
    return History(
        floats("at_ms"), step, int(parameters["from_ms"]), int(parameters["to_ms"]), parameters["level"], series
    )
