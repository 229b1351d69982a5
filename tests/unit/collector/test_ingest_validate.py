"""What breaks the contract is refused, and the error names the field."""

import numpy as np
import pytest

from steelyard_collector.ingest.validate import (
    check_batch,
    check_devices,
    check_hello,
    check_layout,
    check_lost,
    check_records,
)
from steelyard_proto.errors import ContractError
from steelyard_proto.v1 import batch_pb2, ingest_pb2

NOW_MS = 1_763_942_400_000
DEVICE = batch_pb2.KIND_DEVICE_SAMPLES


def stamps(*offsets_ms: int) -> bytes:
    return (NOW_MS + np.array(offsets_ms)).astype("<i8").tobytes()


def check(**changes: bytes) -> tuple[int, int]:
    parts = {"ts_ms": stamps(0, 1000), "gauges": bytes(4 * 2 * 3 * 2), "counters": bytes(8 * 1 * 3 * 2)}
    return check_batch(**{**parts, **changes}, entities=3, gauge_count=2, counter_count=1)


def field_of(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(ContractError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    assert str(caught.value).startswith(caught.value.field)
    return caught.value.field


def test_a_good_batch() -> None:
    assert check() == (2, NOW_MS // 86_400_000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ts_ms": b""}, "batch.ts_ms"),
        ({"ts_ms": b"1234567"}, "batch.ts_ms"),
        ({"ts_ms": stamps(1000, 0)}, "batch.ts_ms"),
        ({"ts_ms": stamps(0, 0)}, "batch.ts_ms"),
        ({"ts_ms": stamps(0, 86_400_000)}, "batch.ts_ms"),
        ({"ts_ms": np.array([-5, 7], "<i8").tobytes()}, "batch.ts_ms"),
        ({"ts_ms": np.array([1 << 62, (1 << 62) + 1], "<i8").tobytes()}, "batch.ts_ms"),
        ({"gauges": bytes(44)}, "batch.gauges"),
        ({"counters": bytes(56)}, "batch.counters"),
    ],
)
def test_a_bad_batch(changes: dict[str, bytes], field: str) -> None:
    assert field_of(check, **changes) == field


def test_a_bad_hello() -> None:
    good = ingest_pb2.Hello(agent_id="a", epoch=1, node=ingest_pb2.Node(name="n"))
    check_hello(good)
    for field, change in (
        ("hello.agent_id", {"agent_id": ""}),
        ("hello.epoch", {"epoch": 0}),
        ("hello.agent_version", {"agent_version": "x" * 2000}),
    ):
        hello = ingest_pb2.Hello()
        hello.CopyFrom(good)
        for name, value in change.items():
            setattr(hello, name, value)
        assert field_of(check_hello, hello) == field


def test_bad_devices() -> None:
    good = batch_pb2.Device(key=1, uid="u", vendor="nvidia")
    check_devices([good], "hello.devices")
    assert field_of(check_devices, [good, batch_pb2.Device(uid="u", vendor="v")], "d") == "d[1].key"
    assert field_of(check_devices, [batch_pb2.Device(key=1, vendor="v")], "d") == "d[0].uid"
    assert field_of(check_devices, [good] * 5000, "d") == "d"


@pytest.mark.parametrize(
    ("layout", "field"),
    [
        (batch_pb2.Layout(id=0, kind=DEVICE, gauges=[1], devices=[1]), "l.id"),
        (batch_pb2.Layout(id=1, kind=batch_pb2.KIND_EVENT, gauges=[1]), "l.kind"),
        (batch_pb2.Layout(id=1, kind=DEVICE, devices=[1]), "l.gauges"),
        (batch_pb2.Layout(id=1, kind=DEVICE, gauges=[1, 1], devices=[1]), "l.gauges"),
        (batch_pb2.Layout(id=1, kind=DEVICE, gauges=[1], counters=[1], devices=[1]), "l.gauges"),
        (batch_pb2.Layout(id=1, kind=DEVICE, gauges=[70_000], devices=[1]), "l.gauges"),
        (batch_pb2.Layout(id=1, kind=DEVICE, gauges=[1]), "l.devices"),
        (batch_pb2.Layout(id=1, kind=DEVICE, gauges=[1], devices=[1, 1]), "l.devices"),
        (batch_pb2.Layout(id=1, kind=DEVICE, gauges=[1], devices=[9]), "l.devices"),
        (batch_pb2.Layout(id=1, kind=batch_pb2.KIND_HOST_SAMPLES, gauges=[100], devices=[1]), "l.devices"),
    ],
)
def test_a_bad_layout(layout: batch_pb2.Layout, field: str) -> None:
    assert field_of(check_layout, layout, {1, 2}, "l") == field


def test_bad_records() -> None:
    event = batch_pb2.Event(ts_ms=NOW_MS, severity="info", code="x")
    process = batch_pb2.Process(ts_ms=NOW_MS, device=1, pid=3)
    good = batch_pb2.Records(kind=batch_pb2.KIND_EVENT, events=[event])
    assert check_records(good, {}) == NOW_MS // 86_400_000
    mixed = batch_pb2.Records(kind=batch_pb2.KIND_EVENT, events=[event], processes=[process])
    assert field_of(check_records, mixed, {1: 1}) == "records.processes"
    unknown = batch_pb2.Records(kind=batch_pb2.KIND_PROCESS, processes=[process])
    assert field_of(check_records, unknown, {}) == "records.processes[0].device"
    empty = batch_pb2.Records(kind=batch_pb2.KIND_PROCESS)
    assert field_of(check_records, empty, {}) == "records.processes"
    other = batch_pb2.Event(ts_ms=NOW_MS + 86_400_000)
    two_days = batch_pb2.Records(kind=batch_pb2.KIND_EVENT, events=[event, other])
    assert field_of(check_records, two_days, {}) == "records.events.ts_ms"


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("name", ["step_time_s", "devices", "host_gap_s", "total_s"])
def test_a_step_with_a_nonsense_time_is_refused(name: str, nonsense: float) -> None:
    good = batch_pb2.Step(ts_ms=NOW_MS, pid=3)
    bad = batch_pb2.Step(ts_ms=NOW_MS, pid=3, **{name: nonsense})
    steps = batch_pb2.Records(kind=batch_pb2.KIND_STEP, steps=[good])
    assert check_records(steps, {}) == NOW_MS // 86_400_000
    steps.steps.append(bad)
    assert field_of(check_records, steps, {}) == f"records.steps[1].{name}"


@pytest.mark.parametrize(
    ("name", "nonsense"), [("id", "17"), ("id", "ABCDEF00-0000-4000-8000-000000000000"), ("job", "")]
)
def test_a_profile_without_a_name_or_a_job_is_refused(name: str, nonsense: str) -> None:
    good = {"ts_ms": NOW_MS, "id": "00000000-0000-4000-8000-000000000000", "job": "17"}
    profiles = batch_pb2.Records(kind=batch_pb2.KIND_PROFILE, profiles=[batch_pb2.Profile(**good)])  # type: ignore[arg-type]
    assert check_records(profiles, {}) == NOW_MS // 86_400_000
    profiles.profiles.append(batch_pb2.Profile(**{**good, name: nonsense}))  # type: ignore[arg-type]
    assert field_of(check_records, profiles, {}) == f"records.profiles[1].{name}"


@pytest.mark.parametrize("name", ["mean_bytes_per_s", "min_bytes_per_s", "max_bytes_per_s"])
@pytest.mark.parametrize("nonsense", [-1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(name: str, nonsense: float) -> None:
    good = {"ts_ms": NOW_MS, "id": "6e2e4ee1-54cf-4b3a-9b5c-9f4f0a6a5d1e", "job": "17"}
    profile = batch_pb2.Profile(**good, rates=[batch_pb2.Rate(mean_bytes_per_s=5.0)])  # type: ignore[arg-type]
    records = batch_pb2.Records(kind=batch_pb2.KIND_PROFILE, profiles=[profile])
    assert check_records(records, {}) == NOW_MS // 86_400_000
    records.profiles[0].rates.append(batch_pb2.Rate(**{name: nonsense}))  # type: ignore[arg-type]
    assert field_of(check_records, records, {}) == f"records.profiles[0].rates[1].{name}"


def test_a_bad_lost_range() -> None:
    check_lost(ingest_pb2.Lost(kind=DEVICE, seq_from=1, seq_to=1), "lost")
    assert field_of(check_lost, ingest_pb2.Lost(kind=DEVICE, seq_from=2, seq_to=1), "lost") == "lost.seq_from"
    assert field_of(check_lost, ingest_pb2.Lost(kind=DEVICE, seq_from=2, seq_to=1 << 32), "lost") == "lost.seq_to"
    assert field_of(check_lost, ingest_pb2.Lost(seq_from=1, seq_to=1), "lost") == "lost.kind"
    assert (
        field_of(check_lost, ingest_pb2.Lost(kind=DEVICE, seq_from=1, seq_to=1, from_ms=-1), "lost") == "lost.from_ms"
    )
    of_later_version = ingest_pb2.Lost(kind=40, seq_from=1, seq_to=1)  # type: ignore[arg-type]
    check_lost(of_later_version, "lost")
