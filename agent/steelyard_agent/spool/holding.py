"""A spool's directory: held by one agent at a time, and put on the disk itself."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from steelyard_proto.errors import SpoolError


def take_directory(directory: Path) -> BinaryIO:
    """Makes a spool's directory and locks it; closing the file lets it go.

    Raises:
        SpoolError: it can't be used, or another agent uses it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "lock").open("ab")
    except OSError as error:
        raise SpoolError(
            f"{directory}: can't be used as the spool: {error.strerror}; name another with --state-dir"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise SpoolError(
            f"{directory}: another agent uses this spool; stop it, or name another with --state-dir"
        ) from error
    return file


def sync_path(path: Path) -> None:
    """Puts a file, or a directory's list of files, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
