"""The energy of a weighing's devices, read by the agent's program while the script trains."""

import json
import os
import subprocess
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Final

_KINDS: Final[Mapping[str, str]] = {"cpu": "cpu", "npu": "npu"}
# Between two readings energy is taken to rise evenly; over less than this that would show.
_LEAST_S: Final = 3.0
_START_WAIT_S, _END_WAIT_S, _POLL_S = 20.0, 5.0, 0.05
_ENERGY: Final = "energy_mj"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules of the counted steps; or why they aren't known. `note` says how they came about, where that matters."""

    joules: float | None
    absent: str = ""
    note: str = ""


@dataclass(slots=True)
class Readings:
    """What the agent's program wrote; `absent` says why it wrote nothing."""

    lines: list[Row] = field(default_factory=list)
    absent: str = ""


@contextmanager
def reading(program: str | None, job: str) -> Iterator[Readings]:
    """Reads while the block runs; the readings are there after it.

    Args:
        program: of the agent; None where this machine has none.
        job: whose devices are wanted.
    """
    found = Readings()
    if program is None:
        found.absent = "this machine has no steelyard-agent, which reads the counters"
        yield found
        return
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        command = [program, "energy", "--job", job, "--log-level", "error"]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=said, env={**os.environ})
        try:
            _await_words(child, out)
            yield found
        finally:
            _end(child)
            found.lines = list(_lines(out))
            if not found.lines:
                said.seek(0)
                last = (said.read().strip().splitlines() or ["it wrote nothing"])[-1]
                found.absent = f"steelyard-agent energy: {last}"


def _await_words(child: "subprocess.Popen[bytes]", out: IO[str]) -> None:
    """Until it reads: what it misses of the training's beginning would be missing from the energy."""
    deadline_s = time.monotonic() + _START_WAIT_S
    while child.poll() is None and not os.fstat(out.fileno()).st_size and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_END_WAIT_S)
    except subprocess.TimeoutExpired:
        # A driver's call hangs.
        child.kill()
        child.wait()


def _lines(out: IO[str]) -> Iterator[Row]:
    out.seek(0)
    for line in out:
        if line.endswith("\n"):
            yield json.loads(line)


def energy_of(found: Readings, slip: Row) -> Energy:
    """The energy of the devices that a weighing trained on, over the steps that its rate counts."""
    if found.absent:
        return Energy(None, found.absent)
    begin_s, end_s = slip["counted_from_s"], slip["counted_to_s"]
    if end_s - begin_s < _LEAST_S:
        return Energy(
            None, f"the counted steps took {end_s - begin_s:.1f} s; weigh for longer, {_LEAST_S:g} s at least"
        )
    kind = _KINDS.get(slip["device"], "gpu")
    devices = {device["uid"]: device for device in found.lines[0]["devices"] if device["kind"] == kind}
    readings = [line for line in found.lines[1:] if line[_ENERGY]]
    held = {uid for line in found.lines[1:] for uid in line.get("held", ()) if uid in devices}
    if not devices:
        return Energy(None, f"the agent's program finds no {kind} here")
    if not held:
        unseen = sorted({why for line in found.lines[1:] for uid, why in line["unseen"].items() if uid in devices})
        why = f": {unseen[0]}" if unseen else ""
        return Energy(None, f"the agent's program doesn't see which {kind} this job held{why}")
    joules = 0.0
    for meter, uids in _meters(held, devices).items():
        missing = devices[uids[0]]["package_devices"] - len(uids) if meter != uids[0] else 0
        if missing:
            return Energy(None, f"the counter of package {meter} counts {missing} more that this job didn't hold")
        spent = [mj for uid in uids if (mj := _spent_mj(readings, uid, begin_s, end_s)) is not None]
        if not spent:
            reasons = [why for line in found.lines[1:] for uid, why in line["absent"].items() if uid in uids]
            return Energy(None, f"{uids[0]}: {(*reasons, 'it was not read in time')[0]}")
        # The devices of a package tell its energy each, or one for all.
        joules += max(spent) / 1000
    notes = {devices[uid]["note"] for uid in held} - {""}
    return Energy(joules, note="; ".join(sorted(notes)))


def _meters(held: Iterable[str], devices: Mapping[str, Row]) -> dict[str, list[str]]:
    """The devices that one counter counts, by the package or the device that it is of."""
    meters: dict[str, list[str]] = {}
    for uid in sorted(held):
        device = devices[uid]
        is_shared = device["power_scope"] == "package" and device["package_uid"]
        meters.setdefault(device["package_uid"] if is_shared else uid, []).append(uid)
    return meters


def _spent_mj(readings: Sequence[Row], uid: str, begin_s: float, end_s: float) -> float | None:
    told = sorted(tuple(line[_ENERGY][uid]) for line in readings if uid in line[_ENERGY])
    values = [_at(told, when_s) for when_s in (begin_s, end_s)]
    if values[0] is None or values[1] is None or values[1] < values[0]:
        return None
    return values[1] - values[0]


def _at(told: Sequence[tuple[float, float]], when_s: float) -> float | None:
    """The counter at a time between two readings."""
    place = bisect_left(told, (when_s, 0.0))
    if not 0 < place < len(told):
        return None
    (before_s, before), (after_s, after) = told[place - 1], told[place]
    return before + (after - before) * (when_s - before_s) / (after_s - before_s)
