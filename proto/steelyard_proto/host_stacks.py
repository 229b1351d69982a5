"""Host stacks as py-spy writes them: paths, how often each was seen, and what it waits for. Pure.

Source: py-spy 0.4's format `raw` with --threads: `thread (PID): NAME;outermost (file:line);...;innermost COUNT`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_THREAD: Final = re.compile(r"(?:process \d+:[^;]*;)?thread \((?:0x)?[0-9A-Fa-f]+\)(?:: )?(.*)")
# Threads that always wait and tell nothing of the training.
_HELPERS: Final = re.compile(
    r"Queue\._feed |_pin_memory_loop |TMonitor\.run |EventFileWriter|_WorkerThread|_read_thread "
)
# A path waits for what its innermost such frame waits for. Built-in functions have no frame: `.item()` shows as the
# line that calls it, so that a wait for the device there is not told apart.
_WAITS: Final = (
    ("data", re.compile(r"(?:__next__|_next_data|_try_get_data|_get_data) \(torch/utils/data/dataloader\.py")),
    ("collective", re.compile(r"\(torch/distributed/distributed_c10d\.py|\(torch/distributed/_functional_collectives")),
    ("device", re.compile(r"synchronize \((?:torch/(?:cuda|xpu|accelerator)|torch_npu/npu)/")),
)
_MOST_STACKS: Final = 5_000


@dataclass(frozen=True, slots=True)
class HostStack:
    """A path that was seen.

    Attributes:
        frames: from the outermost.
        waits: data, collective or device; empty where it waits for none of them.
    """

    thread: str
    frames: tuple[str, ...]
    samples: int
    waits: str


def parse_raw(text: str) -> tuple[HostStack, ...]:
    """The paths, most samples first; helper threads are left out, and so is what makes no sense."""
    stacks = []
    for line in text.splitlines():
        path, _, count = line.rpartition(" ")
        if not path or not count.isdigit() or _HELPERS.search(f"{path} "):
            continue
        first, *rest = path.split(";")
        thread = _THREAD.fullmatch(first)
        frames = tuple(rest if thread is not None else [first, *rest])
        if frames:
            stacks.append(HostStack("" if thread is None else thread[1], frames, int(count), waits_of(frames)))
    return tuple(sorted(stacks, key=lambda stack: (-stack.samples, stack.frames)))[:_MOST_STACKS]


def waits_of(frames: Sequence[str]) -> str:
    """What a path waits for, looked at from the innermost frame."""
    for frame in reversed(frames):
        for name, pattern in _WAITS:
            if pattern.search(frame):
                return name
    return ""
