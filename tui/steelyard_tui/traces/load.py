"""Loads the trace parsers, which are an extra of their own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard_proto.errors import SteelyardError

if TYPE_CHECKING:
    from steelyard_traces.profile import Profile
    from steelyard_traces.reading import Recording


def load_recording(path: str, sampled_hz: float | None = None) -> "Recording":
    """Reads a recording, of py-spy with how often it looked.

    Raises:
        SteelyardError: it can't be read, or the parsers aren't installed.
    """
    try:
        from steelyard_traces.reading import read_recording
    except ImportError as error:
        raise SteelyardError("reading recordings needs msgspec: pip install 'steelyard[traces]'") from error
    return read_recording(Path(path), sampled_hz)


def document_of(profile: "Profile") -> dict[str, Any]:
    """A profile as one JSON object; raises SteelyardError where the parsers, which know its form, aren't installed."""
    try:
        from steelyard_traces.document import as_document
    except ImportError as error:
        raise SteelyardError("JSON of profiles needs msgspec: pip install 'steelyard[traces]'") from error
    return as_document(profile)
