"""Loads the trace parsers, which are an extra of their own."""

from pathlib import Path
from typing import TYPE_CHECKING

from steelyard_proto.errors import SteelyardError

if TYPE_CHECKING:
    from steelyard_traces.reading import Recording


def load_recording(path: str) -> "Recording":
    """Reads a recording; raises SteelyardError where it can't be read or the parsers aren't installed."""
    try:
        from steelyard_traces.reading import read_recording
    except ImportError as error:
        raise SteelyardError("reading recordings needs msgspec: pip install 'steelyard[traces]'") from error
    return read_recording(Path(path))
