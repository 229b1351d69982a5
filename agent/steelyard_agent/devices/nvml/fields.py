"""Field values: many figures of a device in one call, each with its own return code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from steelyard_agent.devices.nvml import structs
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.reading import Reading, absent_for
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported

CALL: Final = "nvmlDeviceGetFieldValues"
_ALL_LINKS: Final = 0xFFFFFFFF
_MAX_LINKS: Final = 36
_KIB: Final = 1024

# valueType -> how its eight bytes are read; another type is not understood.
_FORMATS: Final = {0: "d", 1: "I4x", 2: "Q", 3: "Q", 4: "q", 5: "i4x", 6: "H6x"}
_DOUBLE: Final = 0
_UNSIGNED_64: Final = 3
_STRANGE: Final = Absent("field of an unknown type")

Field = tuple[int, int]  # id and scope

_POWER: Final[Field] = (186, 0)
_ENERGY: Final[Field] = (83, 0)
_MEMORY_TEMPERATURE: Final[Field] = (82, 0)
_SLOW_POWER: Final[Field] = (74, 0)
_PCIE: Final[tuple[Field, Field]] = ((197, 0), (198, 0))
_RETIRED: Final[tuple[Field, Field]] = ((29, 0), (30, 0))  # by corrected errors, by uncorrected ones
_RETIREMENT_PENDING: Final[Field] = (31, 0)
_LINKS_TX: Final[Field] = (138, _ALL_LINKS)
_LINKS_RX: Final[Field] = (139, _ALL_LINKS)
# Slowdowns by software's heat limit, hardware's heat limit, power brake. CUDA 12.9 and the first 13.0 number them
# 251-253, later versions 269-271, and each takes the other's numbers for settings of power smoothing, which are no
# 64-bit counters.
_SLOWDOWNS: Final[tuple[tuple[Field, Field, Field], ...]] = (
    ((269, 0), (270, 0), (271, 0)),
    ((251, 0), (252, 0), (253, 0)),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric as the sum of fields, times a factor; whole numbers stay whole unless the factor is a fraction."""

    metric: int
    fields: tuple[Field, ...]
    factor: float | int = 1


class FieldBlock:
    """Fields that are asked for together, with the memory that the call fills."""

    def __init__(self, calls: DeviceCalls, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self.types: tuple[int, ...] = ()
        self._array = (structs.FieldValue * len(self.fields))()
        for slot, (field, scope) in zip(self._array, self.fields, strict=True):
            slot.fieldId, slot.scopeId = field, scope
        self._fill = calls.filled(CALL, self._array, len(self.fields))
        self._is_strange = False
        self._unpack = self._layout((3,) * len(self.fields))

    def read(self) -> Sequence[Value]:
        """One number per field, or why there is none.

        Raises:
            DeviceError: no field was answered.
        """
        self._fill()
        numbers = self._unpack.unpack_from(self._array)
        if numbers[0::3] != self.types:
            self._unpack = self._layout(numbers[0::3])
            numbers = self._unpack.unpack_from(self._array)
        codes, values = numbers[1::3], numbers[2::3]
        if not self._is_strange and not any(codes):
            return values
        return [_judged(*triple) for triple in zip(self.types, codes, values, strict=True)]

    def latency_us(self, place: int) -> int:
        """How long the driver took over a field at the last reading."""
        return int(self._array[place].latencyUsec)

    def _layout(self, types: tuple[int, ...]) -> Struct:
        self.types = types
        self._is_strange = not all(kind in _FORMATS for kind in types)
        # Skipped: id, scope, timestamp and latency.
        return Struct("=" + "".join("24xII" + _FORMATS.get(kind, "Q") for kind in types))


def field_reading(calls: DeviceCalls) -> Reading:
    """The metrics that this device gives as fields, asked in one call from now on.

    Raises:
        NotSupported: it gives none.
        DeviceLost: it went away meanwhile.
    """
    answered = _answered(calls, _candidates(calls))
    return _reading(calls, _figures(answered), answered)


def sum_reading(calls: DeviceCalls, metric: int, fields: list[Field]) -> Reading:
    """One metric as the sum of those of the fields that the device gives; raises as `field_reading`."""
    answered = _answered(calls, fields)
    return _reading(calls, [Figure(metric, tuple(answered))] if answered else [], answered)


def retired_pages(calls: DeviceCalls) -> Reading:
    """Pages of memory that a GPU before Ampere has retired, and whether more will be; raises as `field_reading`."""
    answered = _answered(calls, [*_RETIRED, _RETIREMENT_PENDING])
    return _reading(calls, [Figure(62, _RETIRED, 1.0), Figure(63, (_RETIREMENT_PENDING,), 1.0)], answered)


def link_count(calls: DeviceCalls) -> int:
    """How many NVLinks the device has; 0 where it doesn't tell.

    Raises:
        DeviceLost: it went away.
    """
    count = _try(calls, [(91, 0)]).get((91, 0), (0, 0))[1]
    return int(count) if isinstance(count, int) and 0 < count <= _MAX_LINKS else 0


def _reading(calls: DeviceCalls, wanted: Iterable[Figure], answered: dict[Field, int]) -> Reading:
    figures = [figure for figure in wanted if _is_given(figure, answered)]
    if not figures:
        raise NotSupported("none of the fields is given", vendor="nvidia", call=CALL, device=calls.label)
    fields = tuple(dict.fromkeys(field for figure in figures for field in figure.fields))
    block = FieldBlock(calls, fields)
    positions = {field: position for position, field in enumerate(fields)}
    plan = [(tuple(positions[field] for field in figure.fields), figure.factor) for figure in figures]
    single = [(places[0], factor) for places, factor in plan]
    is_simple = all(len(places) == 1 for places, _ in plan)

    def read() -> tuple[Value, ...]:
        values = block.read()
        if is_simple and Absent not in map(type, values):
            return tuple([values[place] * factor for place, factor in single])  # type: ignore[operator]
        return tuple(
            [
                _scaled(values[places[0]], factor) if len(places) == 1 else _sum(values, places, factor)
                for places, factor in plan
            ]
        )

    def latencies_us() -> dict[int, float]:
        return {
            figure.metric: float(sum(block.latency_us(place) for place in places))
            for figure, (places, _) in zip(figures, plan, strict=True)
        }

    return Reading(tuple(figure.metric for figure in figures), read, latencies_us)


def _is_given(figure: Figure, answered: dict[Field, int]) -> bool:
    # What counts or is scaled by a whole number has to come as one.
    is_whole = isinstance(figure.factor, int)
    return all(field in answered and not (is_whole and answered[field] == _DOUBLE) for field in figure.fields)


def _scaled(value: Value, factor: float | int) -> Value:
    return value if value.__class__ is Absent else value * factor  # type: ignore[operator]


def _sum(values: Sequence[Value], places: tuple[int, ...], factor: float | int) -> Value:
    total: float | int = 0
    for place in places:
        value = values[place]
        if isinstance(value, Absent):
            return value  # a part of a sum is not the sum
        total += value
    return total * factor


def _candidates(calls: DeviceCalls) -> list[Field]:
    slowdowns = [field for triple in _SLOWDOWNS for field in triple]
    links = [(field, link) for field in (202, 204) for link in range(link_count(calls))]
    return [_POWER, _ENERGY, _MEMORY_TEMPERATURE, _SLOW_POWER, *_PCIE, _LINKS_TX, _LINKS_RX, *slowdowns, *links]


def _answered(calls: DeviceCalls, fields: list[Field]) -> dict[Field, int]:
    """The fields that the device gives, with their types."""
    found = _try(calls, fields)
    if not found:
        # One unknown field can make an old driver refuse the whole call.
        for field in fields:
            found.update(_try(calls, [field]))
    return {field: kind for field, (kind, value) in found.items() if not isinstance(value, Absent)}


def _try(calls: DeviceCalls, fields: list[Field]) -> dict[Field, tuple[int, Value]]:
    block = FieldBlock(calls, fields)
    try:
        values = block.read()
    except DeviceLost:
        raise
    except DeviceError:
        return {}
    return dict(zip(fields, zip(block.types, values, strict=True), strict=True))


def _figures(answered: dict[Field, int]) -> Iterable[Figure]:
    yield Figure(23, (_POWER,), 1e-3)
    yield Figure(25, (_ENERGY,))
    yield Figure(26, (_SLOW_POWER,))
    counters = [triple for triple in _SLOWDOWNS if all(answered.get(field) == _UNSIGNED_64 for field in triple)]
    if len(counters) == 1:
        software, hardware, brake = counters[0]
        yield Figure(27, (software,))
        yield Figure(28, (hardware, brake))
    yield Figure(43, (_MEMORY_TEMPERATURE,), 1.0)
    for metric, total, by_link in ((50, _LINKS_TX, 202), (51, _LINKS_RX, 204)):
        links = tuple(field for field in answered if field[0] == by_link)
        if total in answered:
            yield Figure(metric, (total,), _KIB)
        elif links:
            yield Figure(metric, links)
    for metric, field in zip((56, 57), _PCIE, strict=True):
        yield Figure(metric, (field,))


def _judged(kind: int, code: int, value: float | int) -> Value:
    if code != 0:
        return absent_for(code, CALL)
    return value if kind in _FORMATS else _STRANGE
