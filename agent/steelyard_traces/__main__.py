"""`python -m steelyard_traces PATH`: reads one recording as a program of its own, and prints it as one JSON document.

What an agent runs behind everybody else, with an end to its memory. Of a recording that can't be read the document is
`{"error": {"kind", "reason", "path", "place"}}`, and the exit code says the kind too.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from steelyard_proto.errors import TraceError

UNREADABLE: Final = 1
TOO_LARGE: Final = 3
NOT_INSTALLED: Final = 4
UNFORESEEN: Final = 5
_MOST_STACKS: Final = 2_000


def main(arguments: list[str] | None = None) -> int:
    """Reads and prints; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m steelyard_traces", description=__doc__)
    parser.add_argument("path", type=Path, metavar="PATH", help="a trace, or a folder that a profiler has left")
    parser.add_argument(
        "--stacks", type=int, default=_MOST_STACKS, metavar="N", help="paths of calls told one by one (2,000)"
    )
    parser.add_argument("--hz", type=float, metavar="N", help="how often py-spy looked, for its stacks")
    given = parser.parse_args(arguments)
    document, code = document_or_error(lambda: _read(given.path, max(given.stacks, 0), given.hz))
    json.dump(document, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    sys.stdout.write("\n")
    return code


def document_or_error(read: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """What was read and 0, or why nothing was and a code for the kind of fault."""
    try:
        return read(), 0
    except TraceError as error:
        return _fault("unreadable", error.reason, error.path, error.place), UNREADABLE
    except MemoryError:
        # What filled the memory is let go of by now, so that there is some for the answer.
        return _fault("too_large", "takes more memory than its reader may use; record fewer steps"), TOO_LARGE
    except ImportError as error:
        return _fault("not_installed", str(error)), NOT_INSTALLED
    except Exception as error:  # noqa: BLE001  whoever started this learns of a fault of ours by the document too
        return _fault("unforeseen", f"the reader failed ({error!r}); please report it"), UNFORESEEN


def _read(path: Path, most_stacks: int, sampled_hz: float | None) -> dict[str, Any]:
    from steelyard_traces.document import as_document, stacks_document
    from steelyard_traces.reading import read_recording

    recording = read_recording(path, sampled_hz)
    profile = recording.profile
    return {**as_document(profile), **stacks_document(recording.stacks(), profile.devices, most_stacks)}


def _fault(kind: str, reason: str, path: str = "", place: str = "") -> dict[str, Any]:
    return {"error": {"kind": kind, "reason": reason, "path": path, "place": place}}


if __name__ == "__main__":
    sys.exit(main())
