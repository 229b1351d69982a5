"""Whether a message keeps the contract. Pure; the error names the field."""

import re
import struct
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from steelyard_collector.ingest.accepted import TABLES
from steelyard_proto.errors import ContractError
from steelyard_proto.records import FIELDS
from steelyard_proto.v1 import batch_pb2, ingest_pb2

DAY_MS: Final = 86_400_000
MAX_DEVICES: Final = 4096
MAX_METRICS: Final = 1024
MAX_LAYOUTS: Final = 4096
MAX_TEXT: Final = 1024
MAX_RECORDS: Final = 100_000
# As wide as the store's columns.
MAX_SEQ: Final = (1 << 32) - 1
MAX_KIND: Final = 255
SAMPLE_KINDS: Final = frozenset(
    (batch_pb2.KIND_DEVICE_SAMPLES, batch_pb2.KIND_HOST_SAMPLES, batch_pb2.KIND_AGENT_SAMPLES)
)
_KINDS: Final = frozenset(batch_pb2.Kind.values())
# Rows that are always of a device.
BOUND_KINDS: Final = frozenset((batch_pb2.KIND_PROCESS, batch_pb2.KIND_JOB_INTERVAL))
# Where a row says of which profile it is.
_PROFILES: Final[Mapping[int, str]] = {
    batch_pb2.KIND_PROFILE: "id",
    batch_pb2.KIND_PROFILE_ROW: "profile",
    batch_pb2.KIND_STACK: "profile",
}
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Times of a row beside its own, where it has them; 0 is absent.
_TIMES: Final[Mapping[int, tuple[str, ...]]] = {
    batch_pb2.KIND_PROCESS: ("start_ms",),
    batch_pb2.KIND_EVENT: (),
    batch_pb2.KIND_JOB_INTERVAL: ("from_ms", "to_ms"),
    batch_pb2.KIND_STEP: ("start_ms", "begin_ms"),
    batch_pb2.KIND_TRAINING: ("start_ms",),
    batch_pb2.KIND_PROFILE: ("written_ms", "start_ms", "to_ms"),
    batch_pb2.KIND_PROFILE_ROW: (),
    batch_pb2.KIND_STACK: (),
}
# Figures that neither infinity nor NaN may stand for.
_FIGURES: Final[Mapping[int, tuple[str, ...]]] = {
    batch_pb2.KIND_STEP: ("step_time_s", "devices", "host_gap_s", "total_s"),
    batch_pb2.KIND_TRAINING: ("price_per_device_hour",),
    batch_pb2.KIND_PROFILE: ("sampled_hz",),
}
# Figures that may be below 0, and are as finite.
_SIGNED: Final[Mapping[int, tuple[str, ...]]] = {
    batch_pb2.KIND_STEP: ("loss",),
    batch_pb2.KIND_PROFILE: ("loss_s", "loss_low_s", "loss_high_s"),
}
# 2001 and 2100: a clock that was never set, and one that never will be.
_MIN_MS: Final = 978_307_200_000
_MAX_MS: Final = 4_102_444_800_000
# A century: no training is longer, and infinity and NaN are not below it.
_MOST: Final = 3.2e9
# More than any chip has done.
_MOST_FLOPS: Final = 1e30
_MOST_BYTES_PER_S: Final = 1e18
_MOST_RATES: Final = 4096
_RATES: Final = ("mean_bytes_per_s", "min_bytes_per_s", "max_bytes_per_s")
_DEVICE_TEXTS: Final = ("driver_version", "library_version", "power_scope")


def is_of_later_version(kind: int) -> bool:
    """Whether only a newer contract knows this kind: its messages are counted as lost, and harm no other kind."""
    return kind not in _KINDS and 0 < kind <= MAX_KIND


def check_hello(hello: ingest_pb2.Hello) -> None:
    """Raises ContractError for a Hello that names nobody, or too much."""
    _text("hello.agent_id", hello.agent_id, required=True)
    _text("hello.node.name", hello.node.name, required=True)
    for field, text in (
        ("agent_version", hello.agent_version),
        ("node.os", hello.node.os),
        ("node.kernel", hello.node.kernel),
        ("node.arch", hello.node.arch),
    ):
        _text(f"hello.{field}", text)
    if not hello.epoch:
        raise ContractError("hello.epoch", "is 0; it must be the Unix time at which the spool was made")
    if len(hello.node.labels) > 64:
        raise ContractError("hello.node.labels", f"{len(hello.node.labels)} labels; 64 are allowed")
    for key, value in hello.node.labels.items():
        _text("hello.node.labels", key)
        _text(f"hello.node.labels[{key}]", value)


def check_devices(devices: "list[batch_pb2.Device]", field: str) -> None:
    """Raises ContractError for devices without a key or uid, or too many."""
    if len(devices) > MAX_DEVICES:
        raise ContractError(field, f"{len(devices)} devices; {MAX_DEVICES} are allowed")
    for index, device in enumerate(devices):
        place = f"{field}[{index}]"
        if not device.key:
            raise ContractError(f"{place}.key", "is 0; keys begin at 1")
        _text(f"{place}.uid", device.uid, required=True)
        _text(f"{place}.vendor", device.vendor, required=True)
        for name in ("kind", "name", "chip", "part", "package_uid", "pci_address", *_DEVICE_TEXTS):
            _text(f"{place}.{name}", getattr(device, name))
        if len(device.notes) > 64:
            raise ContractError(f"{place}.notes", f"{len(device.notes)} notes; 64 are allowed")
        for key, value in device.notes.items():
            _text(f"{place}.notes", key)
            _text(f"{place}.notes[{key}]", value)


def check_layout(layout: batch_pb2.Layout, keys: Container[int], field: str) -> None:
    """Raises ContractError for a layout that no batch could have."""
    if not layout.id:
        raise ContractError(f"{field}.id", "is 0; ids begin at 1")
    if is_of_later_version(layout.kind):
        return
    if layout.kind not in SAMPLE_KINDS:
        raise ContractError(f"{field}.kind", f"is {layout.kind}; a layout is of device, host or agent samples")
    metrics = [*layout.gauges, *layout.counters]
    if not metrics or len(metrics) > MAX_METRICS:
        raise ContractError(f"{field}.gauges", f"{len(metrics)} metrics in all; 1 to {MAX_METRICS} are allowed")
    if len(set(metrics)) < len(metrics) or max(metrics) >= 1 << 16 or min(metrics) < 1:
        raise ContractError(f"{field}.gauges", "a metric id stands twice, or is not from 1 to 65535")
    is_of_devices = layout.kind == batch_pb2.KIND_DEVICE_SAMPLES
    if is_of_devices != bool(layout.devices):
        raise ContractError(f"{field}.devices", "device samples name their devices, and only they do")
    if len(set(layout.devices)) < len(layout.devices):
        raise ContractError(f"{field}.devices", "a device stands twice")
    for key in layout.devices:
        if key not in keys:
            raise ContractError(f"{field}.devices", f"{key} is no device that was declared before")


def check_batch(
    ts_ms: bytes, gauges: bytes, counters: bytes, *, entities: int, gauge_count: int, counter_count: int
) -> tuple[int, int]:
    """Checks a batch's matrices against its layout's counts.

    Returns:
        Ticks, and the UTC day (days since 1970) that they lie in.

    Raises:
        ContractError: a matrix has the wrong length, or times don't rise, or lie in two days.
    """
    ticks, rest = divmod(len(ts_ms), 8)
    if rest or not ticks:
        raise ContractError("batch.ts_ms", f"{len(ts_ms)} bytes; 8 for each tick, at least one tick")
    cells = entities * ticks
    if len(gauges) != 4 * gauge_count * cells:
        raise ContractError("batch.gauges", f"{len(gauges)} bytes; the layout asks for {4 * gauge_count * cells}")
    if len(counters) != 8 * counter_count * cells:
        raise ContractError("batch.counters", f"{len(counters)} bytes; the layout asks for {8 * counter_count * cells}")
    return ticks, check_times(struct.unpack(f"<{ticks}q", ts_ms))


def check_times(stamps: Sequence[int]) -> int:
    """Checks a batch's times; returns the UTC day that they lie in.

    Raises:
        ContractError: they don't rise, or lie in two days.
    """
    # A handful of ticks: numpy's calls would cost ten times as much.
    before = stamps[0] - 1
    for stamp in stamps:
        if stamp <= before:
            raise ContractError("batch.ts_ms", "times must rise from tick to tick")
        before = stamp
    return _one_day("batch.ts_ms", stamps[0], stamps[-1])


def _one_day(field: str, first_ms: int, last_ms: int) -> int:
    if not (_MIN_MS <= first_ms <= _MAX_MS and _MIN_MS <= last_ms <= _MAX_MS):
        raise ContractError(field, f"{first_ms} to {last_ms} is no plausible Unix time in ms")
    day = first_ms // DAY_MS
    if last_ms // DAY_MS != day:
        raise ContractError(field, "the times lie in two UTC days; cut the message at midnight")
    return day


def check_records(records: batch_pb2.Records, device_ids: Mapping[int, int]) -> int:
    """Checks rows of one kind; returns the UTC day that they lie in.

    Raises:
        ContractError: rows of another kind, an unknown device, or times in two days.
    """
    field = FIELDS.get(records.kind)
    if field is None:
        raise ContractError("records.kind", f"is {records.kind}; it must be that of its rows")
    for other in FIELDS.values():
        if other != field and len(getattr(records, other)):
            raise ContractError(f"records.{other}", f"stands in a message of {field}")
    rows = getattr(records, field)
    if not 0 < len(rows) <= MAX_RECORDS:
        raise ContractError(f"records.{field}", f"{len(rows)} rows; 1 to {MAX_RECORDS} are allowed")
    for index, row in enumerate(rows):
        has_device = records.kind in BOUND_KINDS or row.HasField("device")
        if has_device and row.device not in device_ids:
            raise ContractError(
                f"records.{field}[{index}].device", f"{row.device} is no device that was declared before"
            )
        _check_row(row, records.kind, f"records.{field}[{index}]")
    stamps = [row.ts_ms for row in rows]
    return _one_day(f"records.{field}.ts_ms", min(stamps), max(stamps))


def _check_row(row: Any, kind: int, field: str) -> None:
    for name in _TIMES[kind]:
        value = getattr(row, name)
        if not 0 <= value <= _MAX_MS:
            raise ContractError(f"{field}.{name}", f"{value} is no plausible Unix time in ms")
    for name in _FIGURES.get(kind, ()):
        value = getattr(row, name)
        if not 0 <= value < _MOST:
            raise ContractError(f"{field}.{name}", f"is {value:g}; it must be finite and not below 0")
    for name in _SIGNED.get(kind, ()):
        value = getattr(row, name)
        if not -_MOST < value < _MOST:
            raise ContractError(f"{field}.{name}", f"is {value:g}; it must be finite")
    if kind == batch_pb2.KIND_PROFILE_ROW and not 0 <= row.flops < _MOST_FLOPS:
        raise ContractError(f"{field}.flops", f"is {row.flops:g}; it must be finite and not below 0")
    if kind in _PROFILES:
        _check_profile(row, kind, field)


def _check_profile(row: Any, kind: int, field: str) -> None:
    if not _UUID.fullmatch(getattr(row, _PROFILES[kind])):
        raise ContractError(f"{field}.{_PROFILES[kind]}", "is no UUID in lower case")
    if not row.job:
        raise ContractError(f"{field}.job", "is empty; a process that nobody has scheduled is a job of its own")
    if kind == batch_pb2.KIND_PROFILE:
        _check_rates(row.rates, field)


def _check_rates(rates: Sequence[batch_pb2.Rate], field: str) -> None:
    if len(rates) > _MOST_RATES:
        raise ContractError(f"{field}.rates", f"{len(rates)} rates; {_MOST_RATES} are allowed")
    for index, rate in enumerate(rates):
        for name in _RATES:
            value = getattr(rate, name)
            if not 0 <= value < _MOST_BYTES_PER_S:
                raise ContractError(
                    f"{field}.rates[{index}].{name}", f"is {value:g}; it must be finite and not below 0"
                )


def check_seq(field: str, seq: int) -> None:
    """Raises ContractError for a number that the store can't hold."""
    if seq > MAX_SEQ:
        raise ContractError(field, f"is {seq}; numbers end at {MAX_SEQ}: begin a new epoch")


def check_lost(lost: ingest_pb2.Lost, field: str) -> None:
    """Raises ContractError for a range that is none."""
    if lost.kind not in TABLES and not is_of_later_version(lost.kind):
        raise ContractError(f"{field}.kind", f"is {lost.kind}; no table is fed by it")
    if not 0 < lost.seq_from <= lost.seq_to:
        raise ContractError(f"{field}.seq_from", f"{lost.seq_from} to {lost.seq_to} is no range")
    check_seq(f"{field}.seq_to", lost.seq_to)
    for name in ("from_ms", "to_ms"):
        value = getattr(lost, name)
        if value and not _MIN_MS <= value <= _MAX_MS:
            raise ContractError(f"{field}.{name}", f"{value} is no plausible Unix time in ms")
    _text(f"{field}.reason", lost.reason)


def _text(field: str, text: str, *, required: bool = False) -> None:
    if required and not text:
        raise ContractError(field, "is empty")
    if len(text) > MAX_TEXT:
        raise ContractError(field, f"{len(text)} characters; {MAX_TEXT} are allowed")
