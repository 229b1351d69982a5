"""The names at which profilers look for a daemon, bound; another daemon's are left to it."""

import errno
import logging
import os
import socket
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from steelyard_agent.profiling.roster import Profiler

log = logging.getLogger(__name__)

# The trailing NUL counts: libkineto sends it along.
KINETO_ABSTRACT: Final = "\0dynolog\0"
KINETO_FILE: Final = "dynolog"
NPU_FILE: Final = "dynolog.sock"
NPU_DATA_FILE: Final = "dynolog_data.sock"


class NameTaken(Exception):
    """A name can't be had; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket.

    Attributes:
        path: its file; None of an abstract name.
        profiler: who speaks there.
        is_shared: in a folder where every user may make files.
    """

    socket: socket.socket
    path: Path | None
    profiler: Profiler
    is_shared: bool = False

    @property
    def name(self) -> str:
        """For people: the path, or the abstract name with an @ before it."""
        return str(self.path) if self.path is not None else "@dynolog"

    def close(self) -> None:
        """Ends, and removes the file; in a shared folder it stays, or another user could take the name meanwhile."""
        self.socket.close()
        if self.path is not None and not self.is_shared:
            self.path.unlink(missing_ok=True)


def bind_abstract() -> Listener:
    """Binds Kineto's abstract name.

    Raises:
        NameTaken: another daemon has it.
    """
    return _bind(KINETO_ABSTRACT, None, "kineto")


def bind_file(path: Path, profiler: Profiler, *, is_shared: bool) -> Listener:
    """Binds a file in a folder that is there already.

    Args:
        path: the socket's file; one that a dead daemon has left is replaced.
        profiler: who speaks there.
        is_shared: every user may speak, else the agent's own alone.

    Raises:
        NameTaken: another daemon has it, or the file is none of ours to replace.
    """
    try:
        left = path.lstat()
    except FileNotFoundError:
        left = None
    except OSError as error:
        raise NameTaken(f"{path} can't be looked at: {error.strerror}") from error
    if left is not None:
        if not stat.S_ISSOCK(left.st_mode):
            raise NameTaken(f"{path} is there and is no socket; remove it, or give another folder")
        if is_in_use(path):
            raise NameTaken(f"{path} belongs to another daemon, which answers there; end that one to profile with this")
        try:
            path.unlink()
        except OSError as error:
            raise NameTaken(f"{path} was left by a dead daemon and can't be removed: {error.strerror}") from error
    listener = replace(_bind(str(path), path, profiler), is_shared=is_shared)
    os.chmod(path, 0o666 if is_shared else 0o600)
    return listener


def check_home(home: Path) -> None:
    """Whether sockets may be made in a trainer's HOME: only its owner may, who could else be made to change a file.

    Raises:
        NameTaken: it is another user's, or isn't there.
    """
    try:
        found = home.lstat()
    except OSError as error:
        raise NameTaken(f"{home} can't be looked at: {error.strerror}; see profiling.npu_home") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise NameTaken(f"{home} is not the agent's own user's; msMonitor needs an agent of the trainer's user there")


def is_in_use(path: Path) -> bool:
    """Whether somebody listens at a socket's file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
        return True


def _bind(address: str, path: Path | None, profiler: Profiler) -> Listener:
    shown = str(path) if path is not None else "@dynolog"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        # Before the name is there: else the first datagram could come without its sender's word.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise NameTaken(f"{shown} belongs to another daemon; end that one to profile with this") from error
        raise NameTaken(f"{shown} can't be opened: {error.strerror or error}") from error
    log.info("profilers are answered at %s", shown)
    return Listener(listener, path, profiler)
