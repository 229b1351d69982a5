"""What a GPU wants done with it: its recovery action, and whether a row of its memory could not be remapped.

They are no figures: a change is an event. They are read with the slow metrics, and at once when the driver tells of it.
"""

from typing import Final

from steelyard_agent.devices.nvml.calls import DeviceCalls
from steelyard_agent.devices.nvml.fields import FieldBlock
from steelyard_agent.devices.nvml.reading import Reading
from steelyard_agent.devices.nvml.told import Sink
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import DeviceError, DeviceLost

# GET_GPU_RECOVERY_ACTION and REMAPPED_FAILURE of nvml.h
_FIELDS: Final = ((230, 0), (145, 0))


def recovery_reading(calls: DeviceCalls, sink: Sink) -> Reading | None:
    """A reading without metrics that tells the sink how the GPU stands; None where the driver has no such field.

    Raises:
        DeviceLost: it went away meanwhile.
    """
    block = FieldBlock(calls, _FIELDS)

    def read() -> tuple[Value, ...]:
        action, failure = (None if isinstance(value, Absent) else int(value) for value in block.read())
        sink.stands(calls.label, action=action, is_remap_failed=failure)
        return ()

    try:
        read()
    except DeviceLost:
        raise
    except DeviceError:
        return None
    return Reading((), read)


def ask(calls: DeviceCalls, uid: str, sink: Sink) -> bool:
    """Reads the recovery action now; False where the GPU doesn't tell it."""
    try:
        (action,) = FieldBlock(calls, _FIELDS[:1]).read()
    except DeviceError:
        return False
    if isinstance(action, Absent):
        return False
    sink.stands(uid, action=int(action), is_remap_failed=None)
    return True
