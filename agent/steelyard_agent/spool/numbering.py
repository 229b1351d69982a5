"""The spool's epoch and next numbers on disk, so that no number is given twice after everything was committed."""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

STATE_FILE: Final = "sequence.json"


@dataclass(frozen=True, slots=True)
class Numbering:
    """The epoch, and by kind the number that its next message gets."""

    epoch: int
    next: dict[int, int]


def read_numbering(directory: Path) -> Numbering | None:
    """What stands in the directory; None where there is nothing, or nothing that can be read."""
    path = directory / STATE_FILE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return Numbering(int(state["epoch"]), {int(kind): int(seq) for kind, seq in state["next"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s: can't be read (%s); a new epoch begins", path, error)
        return None


def write_numbering(directory: Path, numbering: Numbering) -> None:
    """Replaces what stands there.

    Raises:
        OSError: the disk is full or broken; what stood there still does.
    """
    path = directory / STATE_FILE
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"epoch": numbering.epoch, "next": numbering.next}, file)
    os.replace(temporary, path)
