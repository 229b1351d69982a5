"""Exporters of others, where they are on the PATH, each asked once a second as Prometheus would."""

import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Peer:
    """A program, on a port of its own so that one of this machine isn't taken for ours."""

    name: str
    port: int
    flags: tuple[str, ...]

    @property
    def url(self) -> str:
        """Its page."""
        return f"http://127.0.0.1:{self.port}/metrics"


PEERS: Final = (
    Peer("prometheus-node-exporter", 39_100, ("--web.listen-address=127.0.0.1:39100",)),
    Peer("nvitop-exporter", 39_101, ("--bind-address", "127.0.0.1", "--port", "39101", "--interval", "1")),
)


@contextmanager
def running(peer: Peer, nvml: Path) -> Iterator[int]:
    """The process of a peer over the stand-in of NVML."""
    environ = {**os.environ, "LD_LIBRARY_PATH": str(nvml.parent)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen([peer.name, *peer.flags], env=environ, stdout=quiet, stderr=quiet) as process:
        try:
            yield process.pid
            if process.poll() is not None:
                raise RuntimeError(f"{peer.name} ended with {process.returncode}")
        finally:
            process.terminate()


def installed() -> Mapping[str, Peer]:
    """Those that are there."""
    return {peer.name: peer for peer in PEERS if shutil.which(peer.name)}


def scrape(seconds: int, peers: Mapping[str, Peer]) -> None:
    """Lets time pass, and asks each peer once a second."""
    for _ in range(seconds):
        started_s = time.monotonic()
        for peer in peers.values():
            # Not while it starts.
            with suppress(OSError), urllib.request.urlopen(peer.url, timeout=1) as reply:
                reply.read()
        time.sleep(max(0.0, started_s + 1.0 - time.monotonic()))
