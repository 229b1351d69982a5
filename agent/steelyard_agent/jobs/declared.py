"""What a job may declare of its training in its environment, and the field of `Training` that each is. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RUN: Final = "STEELYARD_RUN"
DECLARATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "STEELYARD_TOKENS_PER_STEP": "declared_tokens_per_step",
        "STEELYARD_MODEL": "model",
        "STEELYARD_PARAMETERS": "parameters",
        "STEELYARD_ACTIVE_PARAMETERS": "active_parameters",
        "STEELYARD_SEQUENCE_LENGTH": "sequence_length",
        "STEELYARD_PRECISION": "precision",
        "STEELYARD_TASK": "task",
        "STEELYARD_DATA_PARALLEL": "data_parallel",
        "STEELYARD_TENSOR_PARALLEL": "tensor_parallel",
        "STEELYARD_PRICE": "price_per_device_hour",
        "STEELYARD_CURRENCY": "currency",
    }
)


def declared_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The lines of a datagram that say the same as a hook in the process would."""
    lines = [f"declared.{name}={environ[key]}" for key, name in DECLARATIONS.items() if environ.get(key)]
    if environ.get(RUN):
        lines.append(f"run={environ[RUN]}")
    # A line's end would begin another field.
    return tuple(line.replace("\n", " ") for line in lines)
