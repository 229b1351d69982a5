"""What the hook costs a training: CPU per step and per micro-batch, and tokens a second with it and without."""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from steelyard_agent.hook.start import with_hook
from steelyard_agent.training.datagram import parse
from steelyard_agent.training.endpoint import Endpoint, listen
from steelyard_efficiency.student import quantile
from tests.bench.figure import Figure

_TRAINING = Path(__file__).parent / "load" / "hooked_training.py"
# So many pairs, or as many as end in time: on a crowded machine a pair takes a minute.
_PAIRS, _LEAST_PAIRS, _PAIRS_S = 10, 4, 150.0
_MORE_MICRO_BATCHES = 8
_STEP_US = 100_000.0
# As in steelyard_watch, which only a process with torch can import.
_TELL_EVERY_S = 0.25


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Times steps that compute nothing, then trains in pairs, one of each with the hook."""
    with _agent() as agent:
        progress("steps without hooks, with empty ones and with Steelyard's, in turns")
        found = json.loads(_trained(agent, "costs"))
        progress(f"up to {_PAIRS} pairs of the same training, with and without the hook")
        pairs: list[dict[str, dict[str, float]]] = []
        begin_s = time.monotonic()
        while len(pairs) < _PAIRS and (len(pairs) < _LEAST_PAIRS or time.monotonic() - begin_s < _PAIRS_S):
            pairs.append(_pair(agent, len(pairs)))
    steps = math.ceil(_TELL_EVERY_S * 1e6 / _STEP_US)
    step, step9 = (held + (told - held) / steps for held, told in zip(found["held"], found["told"], strict=True))
    empty, empty9 = found["empty"]
    forward, empty_forward = (step9 - step) / _MORE_MICRO_BATCHES, (empty9 - empty) / _MORE_MICRO_BATCHES
    told = f"1 of {steps} steps of 100 ms sends a datagram: {found['told'][0]:.1f} us, else {found['held'][0]:.1f}"
    return [
        Figure("step_cpu_us", step - forward, "us", "",
               f"an empty hook {empty - empty_forward:.1f}; {told}"),
        Figure("micro_batch_cpu_us", forward, "us", "", f"an empty hook {empty_forward:.1f}"),
        Figure("share_of_100ms_step", step / _STEP_US, "0-1", "<= 0.0005",
               f"one step of one micro-batch; empty hooks {empty / _STEP_US:.5f}"),
        Figure("share_of_100ms_step_acc8", (step + 7 * forward) / _STEP_US, "0-1", "", "eight micro-batches"),
        _change("tokens_per_s_change", "by_clock", pairs),
        _change("tokens_per_cpu_s_change", "by_cpu", pairs),
    ]  # fmt: skip


@contextmanager
def _agent() -> Iterator[Endpoint]:
    """The socket of an agent, as it runs."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        endpoint = listen(f"{folder}/agent.sock")
        assert endpoint is not None, "the socket can't be opened"
        try:
            yield endpoint
        finally:
            endpoint.close()


def _pair(agent: Endpoint, number: int) -> dict[str, dict[str, float]]:
    """The two tokens a second; who goes first changes, so that a machine that warms or slows takes no side."""
    order = (True, False) if number % 2 else (False, True)
    told = {is_hooked: json.loads(_trained(agent, "train", is_hooked=is_hooked)) for is_hooked in order}
    return {"with": told[True], "without": told[False]}


def _trained(agent: Endpoint, what: str, *, is_hooked: bool = True) -> str:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    environ = with_hook({**plain, "STEELYARD_SOCKET": agent.address}) if is_hooked else plain
    command = [sys.executable, str(_TRAINING), what]
    agent.take()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(
            f"{what} ended with {done.returncode}: {done.stderr.strip()[-400:]}; torch is needed: make test installs it"
        )
    kinds = {parse(one.payload).kind for one in agent.take()}
    assert kinds == ({"step", "facts"} if is_hooked else set()), f"{what} told {kinds or 'nothing'}"
    return done.stdout


def _change(name: str, by: str, pairs: list[dict[str, dict[str, float]]]) -> Figure:
    changes = [100 * (pair["with"][by] / pair["without"][by] - 1) for pair in pairs]
    half = quantile(0.975, len(pairs) - 1) * statistics.stdev(changes) / len(pairs) ** 0.5
    mean = statistics.mean(changes)
    with_us, without = (statistics.mean(pair[which][by] for pair in pairs) for which in ("with", "without"))
    step_ms = statistics.mean(pair["without"]["step_ms"] for pair in pairs)
    note = (
        f"95 %: {mean - half:+.2f} to {mean + half:+.2f} %, {len(pairs)} pairs of {step_ms:.0f} ms steps; "
        f"{with_us:,.0f} with, {without:,.0f} without"
    )
    return Figure(name, mean, "%", "", note)
