"""GPM: activity of SMs, tensor cores and memory over the time between two samples (Hopper and newer).

Two buffers are swapped at each reading, so a reading takes one sample and its window is the time since the last.
"""

import ctypes
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from steelyard_agent.devices.nvml import structs
from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.errors import OK
from steelyard_agent.devices.nvml.reading import Reading, absent_for, ratio
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceLost, NotSupported

METRICS_CALL: Final = "nvmlGpmMetricsGet"
# The driver refreshes its counters every 100 ms; a shorter window tells nothing.
SHORTEST_WINDOW_S: Final = 0.1
# Counters of a working device never agree to the last bit for so many readings.
FROZEN_AFTER: Final = 30

_MIB: Final = 1 << 20
_HEAD: Final = "=II"
_PAIR: Final = Struct("=QQ")
_PAIR_AT: Final = 8
_TOO_SHORT: Final = Absent("GPM window under 100 ms")
_STALE: Final = Absent("GPM repeats itself")


def _rate(mib_per_s: float) -> Value:
    return mib_per_s * _MIB


# metric -> GPM's id and what is made of the figure; ratios first
_METRICS: Final[dict[int, tuple[int, Callable[[float], Value]]]] = {
    2: (2, ratio),
    3: (5, ratio),
    4: (12, ratio),
    5: (3, ratio),
    6: (13, ratio),
    7: (11, ratio),
    8: (4, ratio),
    9: (10, ratio),
    11: (7, ratio),
    52: (61, _rate),
    53: (60, _rate),
    54: (20, _rate),
    55: (21, _rate),
}


class GpmSampler:
    """The two buffers of a device and what is asked of them."""

    def __init__(self, calls: DeviceCalls, parent: DeviceCalls | None, clock: Callable[[], float]) -> None:
        """Allocates the buffers and takes the first sample.

        Args:
            calls: the device, or MIG instance.
            parent: the GPU that the instance is a part of.
            clock: monotonic seconds.

        Raises:
            NotSupported: no GPM before Hopper, in old libraries, or for some virtual GPUs.
            DeviceError: the device refuses.
        """
        self._calls = calls
        self._parent = parent
        self._clock = clock
        self._take: tuple[Callable[[], int], Callable[[], int]]
        self._samples: tuple[ctypes.c_void_p, ctypes.c_void_p] | None = None
        self._allocated_in = 0
        self._newest = 0
        self._taken_s = 0.0
        self._block = structs.GpmMetricsGet()
        self._block.version = structs.GPM_METRICS_GET_VERSION
        self._get = calls.library.bound(METRICS_CALL, ctypes.byref(self._block), device=calls.label)
        self._metrics: tuple[int, ...] = ()
        self._makers: tuple[Callable[[float], Value], ...] = ()
        self._ratios = 0
        self._unpack = Struct(_HEAD)
        self._last: tuple[float, ...] = ()
        self._repeats = 0
        _require_support(calls)
        self._renew()

    def settle(self) -> tuple[int, ...]:
        """Takes the second sample and keeps the metrics that the device answers; call it 100 ms after the first.

        Raises:
            DeviceError: none is answered.
        """
        self._ask_for(tuple(_METRICS))
        values = self.read()
        answered = tuple(metric for metric, value in zip(_METRICS, values, strict=True) if _may_come(value))
        if not answered:
            first = values[0]
            text = first.reason if isinstance(first, Absent) else "no metric is given"
            raise NotSupported(text, vendor="nvidia", call=METRICS_CALL, device=self._calls.label)
        self._ask_for(answered)
        return answered

    def reading(self) -> Reading:
        """The metrics that `settle` kept."""
        return Reading(self._metrics, self.read)

    def read(self) -> tuple[Value, ...]:
        """Takes a sample and tells what happened since the one before."""
        now_s = self._clock()
        if now_s - self._taken_s < SHORTEST_WINDOW_S:
            return (_TOO_SHORT,) * len(self._metrics)
        if self._samples is None:
            self._renew()  # new buffers were refused at the last reading
            return (_TOO_SHORT,) * len(self._metrics)
        self._sample(1 - self._newest, now_s)
        code = self._get()
        if code != OK:
            raise self._calls.error(code, METRICS_CALL)
        numbers = self._unpack.unpack_from(self._block)
        codes, values = numbers[0::2], numbers[1::2]
        if any(codes):
            return tuple(
                make(value) if code == OK else absent_for(code, METRICS_CALL)
                for make, code, value in zip(self._makers, codes, values, strict=True)
            )
        if self._is_frozen(values):
            return (_STALE,) * len(values)
        ratios, rates = values[: self._ratios], values[self._ratios :]
        # A figure that isn't a number makes the sum none.
        if ratios and min(ratios) >= 0 and max(ratios) <= 100 and sum(values) == sum(values):
            return (*[value / 100 for value in ratios], *[value * _MIB for value in rates])
        return tuple([make(value) for make, value in zip(self._makers, values, strict=True)])

    def close(self) -> None:
        """Gives the buffers back."""
        samples, self._samples = self._samples, None
        if self._allocated_in != self._calls.library.lifetime:
            return  # the library has been restarted since: whether they are still there is its affair
        for sample in filter(None, samples or ()):
            self._calls.library.bound("nvmlGpmSampleFree", sample)()

    def _ask_for(self, metrics: Sequence[int]) -> None:
        self._metrics = tuple(metrics)
        self._makers = tuple(_METRICS[metric][1] for metric in metrics)
        self._ratios = sum(make is ratio for make in self._makers)
        self._block.numMetrics = len(self._metrics)
        for slot, metric in zip(self._block.metrics, metrics, strict=False):
            slot.metricId = _METRICS[metric][0]
        # Skipped: the head, each metric's id and the texts about it.
        self._unpack = Struct("=24x" + "4xId24x" * len(self._metrics))

    def _renew(self) -> None:
        self.close()
        samples = ctypes.c_void_p(), ctypes.c_void_p()
        self._allocated_in = self._calls.library.lifetime
        self._samples = samples
        try:
            for sample in samples:
                self._calls.library.call("nvmlGpmSampleAlloc", ctypes.byref(sample), device=self._calls.label)
            self._take = self._taker(samples[0]), self._taker(samples[1])
            self._newest = 1
            self._sample(0, self._clock())
        except DeviceError:
            self.close()
            raise

    def _taker(self, sample: ctypes.c_void_p) -> Callable[[], int]:
        library, calls = self._calls.library, self._calls
        if self._parent is None:
            return library.bound("nvmlGpmSampleGet", calls.handle, sample, device=calls.label)
        instance = calls.unsigned("nvmlDeviceGetGpuInstanceId")
        return library.bound("nvmlGpmMigSampleGet", self._parent.handle, instance, sample, device=calls.label)

    def _sample(self, buffer: int, now_s: float) -> None:
        code = self._take[buffer]()
        if code != OK:
            raise self._calls.error(code, "nvmlGpmSampleGet" if self._parent is None else "nvmlGpmMigSampleGet")
        assert self._samples is not None
        older, newer = self._samples[1 - buffer].value, self._samples[buffer].value
        _PAIR.pack_into(self._block, _PAIR_AT, older, newer)
        self._newest = buffer
        self._taken_s = now_s

    def _is_frozen(self, values: tuple[float, ...]) -> bool:
        if values != self._last or not any(values):
            self._last, self._repeats = values, 0
            return False
        self._repeats += 1
        if self._repeats % FROZEN_AFTER == 0:
            # Seen after days of running: new buffers may wake it up.
            self._renew()
        return self._repeats >= FROZEN_AFTER


def _require_support(calls: DeviceCalls) -> None:
    support = structs.GpmSupport()
    support.version = structs.GPM_SUPPORT_VERSION
    calls.call("nvmlGpmQueryDeviceSupport", ctypes.byref(support))
    if not support.isSupportedDevice:
        raise NotSupported("no GPM before Hopper", vendor="nvidia", call="nvmlGpmQueryDeviceSupport")


def _may_come(value: Value) -> bool:
    return not isinstance(value, Absent) or not value.reason.startswith("not supported")


def start_gpm(
    calls: DeviceCalls, parent: DeviceCalls | None, clock: Callable[[], float]
) -> tuple[GpmSampler | None, str]:
    """A sampler with its first sample, or why there is none.

    Raises:
        DeviceLost: the device went away meanwhile.
    """
    try:
        return GpmSampler(calls, parent, clock), ""
    except DeviceLost:
        raise
    except DeviceError as error:
        return None, str(error)
