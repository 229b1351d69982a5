"""What an absence is counted as."""

import pytest

from steelyard_agent.devices.absence import ITS_PROCESS, NOT_READ, TOO_MANY_HANG, Counted, counted_as, reason
from steelyard_proto.errors import DeviceError, DeviceLost, DeviceTimeout, NotPermitted, NotSupported


@pytest.mark.parametrize(
    ("kind", "counted"),
    [(DeviceLost, "lost"), (NotSupported, "refused"), (NotPermitted, "refused"), (DeviceTimeout, "hung"),
     (DeviceError, "failed")],
)  # fmt: skip
def test_the_reason_of_an_error_is_counted_by_its_kind(kind: type[DeviceError], counted: Counted) -> None:
    error = kind("no", vendor="nvidia", call="nvmlDeviceGetPowerUsage", device="GPU 0", code=3)
    assert counted_as(reason(error)) == counted


@pytest.mark.parametrize("absent", [NOT_READ, TOO_MANY_HANG, f"{ITS_PROCESS} is being started", "quarantined: sample"])
def test_what_waits_is_counted_as_hung(absent: str) -> None:
    assert counted_as(absent) == "hung"
