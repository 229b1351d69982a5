"""What profiles cost a training: windows of 3 steps against their neighbours and placebos, and what host stacks take.

The training is real, on CPU, and unmodified; the agent's own parts ask for the windows, and reckon their cost as they
do for users.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from steelyard_agent.hook.start import with_hook
from steelyard_agent.jobs.watch import open_reader
from steelyard_agent.profiling.budget import Budget
from steelyard_agent.profiling.loss import Loss
from steelyard_agent.profiling.opening import open_profiling
from steelyard_agent.profiling.py_spy import PySpy
from steelyard_agent.profiling.sampled import Unsampled
from steelyard_agent.profiling.service import STACKS_HZ, ProfilingService
from steelyard_agent.training.endpoint import listen
from steelyard_agent.training.watch import TrainingWatch
from steelyard_efficiency.student import quantile
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.bench.figure import Figure
from tests.standins.profiling import profiling_settings

_TRAINING = Path(__file__).parent / "load" / "profiled_training.py"
_BUDGET = 0.002
_WINDOWS = 10
# Steps between two windows, so that each has neighbours and placebos of its own.
_BETWEEN_S = 1.5
_PATIENCE_S = 120.0
_STACKS_S = 10
_PAIRS, _PAIR_STEPS = 4, 60


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Trains once with windows, and in pairs with and without the variable that lets torch be asked."""
    with tempfile.TemporaryDirectory(prefix="sy-") as name, ExitStack() as stack:
        folder = Path(name)
        bench = stack.enter_context(_agent(folder))
        with _training(folder) as pid:
            progress("the training begins")
            bench.wait(lambda: bench.steps > 100)
            losses = _windows(bench, pid, progress)
            plain, stacked = (_Cost(losses[kind]) for kind in (False, True))
            progress(f"without stacks: {plain.words}")
            progress(f"with stacks: {stacked.words}")
            progress(f"host stacks over {_STACKS_S} s")
            share = _stacks_share(pid, folder)
        progress(f"{_PAIRS} pairs of the same training, with KINETO_USE_DAEMON=1 and without")
        pairs = [_pair(folder, number) for number in range(_PAIRS)]
    return [
        Figure("period_for_budget_s", plain.period_s, "s", "<= 600",
               f"that keeps the upper bound of what a window costs under {100 * _BUDGET:g} %, on one node"),
        Figure("loss_ms", plain.mean_ms, "ms", "", plain.words),
        Figure("loss_with_stacks_ms", stacked.mean_ms, "ms", "", stacked.words),
        Figure("period_with_stacks_s", stacked.period_s, "s", "", "the same, of windows with stacks"),
        _change(pairs),
        Figure("stacks_cpu_share", share, "cores", "<= 0.02",
               "py-spy is not installed" if share is None else f"py-spy while on, {STACKS_HZ} looks a second"),
    ]  # fmt: skip


class _Bench:
    """The agent's parts in this process, and what they have told."""

    def __init__(self, service: ProfilingService, watch: TrainingWatch) -> None:
        self.service = service
        self.steps = 0
        self.answers: list[ingest_pb2.Answer] = []
        self.profiles: list[batch_pb2.Profile] = []
        self._watch = watch

    def wait(self, is_so: Callable[[], object], timeout_s: float = _PATIENCE_S) -> None:
        """Goes on as the sampling loop does until something is so."""
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"nothing within {timeout_s:.0f} s; the last answer: {self.answers[-1:]}")
            told = self._watch.take(time.time_ns() // 1_000_000, lambda info: 0)
            self.steps += sum(step.steps for step in told.steps)
            self.service.note_steps(told.steps)
            self.profiles += [result.profile for result in self.service.take().results]
            while (answer := self.service.next_answer()) is not None:
                self.answers.append(answer)
            time.sleep(0.05)

    def go_on(self, seconds: float) -> None:
        """Lets so much time pass."""
        until_s = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= until_s)

    def priced(self) -> dict[str, batch_pb2.Profile]:
        """The windows whose cost is known."""
        return {one.id: one for one in self.profiles if one.HasField("loss_s")}


@contextmanager
def _agent(folder: Path) -> Iterator[_Bench]:
    settings = profiling_settings(folder / "fabric", max_trace_bytes=10**9, every_s=600.0, budget_share=_BUDGET)
    service = open_profiling(settings, folder / "state", open_reader("bench"))
    endpoint = listen(str(folder / "agent.sock"))
    assert endpoint is not None, "the socket can't be opened"
    service.start(lambda: None)
    try:
        yield _Bench(service, TrainingWatch(endpoint, open_reader("bench")))
    finally:
        endpoint.close()
        service.close()


def _environ(folder: Path, *, is_asked: bool) -> dict[str, str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("STEELYARD_", "KINETO_"))}
    plain |= {"OMP_NUM_THREADS": "1", "STEELYARD_SOCKET": str(folder / "agent.sock")}
    if is_asked:
        plain |= {"KINETO_USE_DAEMON": "1", "KINETO_IPC_SOCKET_DIR": str(folder / "fabric")}
    return plain


@contextmanager
def _training(folder: Path) -> Iterator[int]:
    command = [sys.executable, str(_TRAINING)]
    environ = with_hook(_environ(folder, is_asked=True))
    # Asks each second and not each 5 s, so that the bench ends sooner.
    (folder / "kineto.conf").write_text("ON_DEMAND_CONFIG_UPDATE_INTERVAL_SECS=1\n")
    environ["KINETO_CONFIG"] = str(folder / "kineto.conf")
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


def _windows(bench: _Bench, pid: int, progress: Callable[[str], None]) -> dict[bool, list[Loss]]:
    """The windows, with stacks and without in turns, so that what slows the machine takes no side."""
    kinds: dict[str, bool] = {}
    for number in range(2 * _WINDOWS):
        with_stacks = bool(number % 2)
        wanted = ingest_pb2.ProfileAsk(pid=pid, steps=3, with_stacks=with_stacks)
        bench.answers.clear()
        bench.service.ask(ingest_pb2.Ask(id=str(number), profile=wanted))
        bench.wait(lambda: any(answer.is_last for answer in bench.answers))
        last = bench.answers[-1]
        if last.state != "stored":
            raise RuntimeError(f"window {number}: {last.text}")
        kinds[last.profile] = with_stacks
        bench.go_on(_BETWEEN_S)
        progress(f"window {number + 1} of {2 * _WINDOWS}: {last.text}")
    bench.wait(lambda: len(bench.priced()) == len(kinds), 660)
    losses: dict[bool, list[Loss]] = {False: [], True: []}
    for profile in bench.priced().values():
        spread_s = (profile.loss_high_s - profile.loss_s) / quantile(0.975, 99)
        loss = Loss(profile.loss_s, profile.loss_low_s, profile.loss_high_s, spread_s, 100)
        losses[kinds[profile.id]].append(loss)
    return losses


class _Cost:
    """What windows of one kind cost."""

    def __init__(self, losses: list[Loss]) -> None:
        budget = Budget(_BUDGET, 0.0)
        for loss in losses:
            budget.add(loss)
        seconds = [loss.loss_s for loss in losses]
        upper_s = budget.upper_s()
        assert upper_s is not None
        self.mean_ms = 1000 * statistics.mean(seconds)
        self.period_s = budget.period_s(1)
        self.words = (
            f"mean of {len(losses)} windows, 95 % at most {1000 * upper_s:.0f} ms; "
            f"{1000 * min(seconds):.0f} to {1000 * max(seconds):.0f}; placebos differ by "
            f"{1000 * statistics.mean(loss.spread_s for loss in losses):.0f} ms (1 sigma)"
        )


def _stacks_share(pid: int, folder: Path) -> float | None:
    try:
        spy = PySpy(pid, _STACKS_S, STACKS_HZ, folder / "stacks.txt")
    except Unsampled:
        return None
    while (sampled := spy.poll()) is None:
        time.sleep(0.2)
    return sampled.cpu_s / _STACKS_S


def _pair(folder: Path, number: int) -> tuple[float, float]:
    """Processor time of a step without the variable and with it; who goes first changes."""
    order = (True, False) if number % 2 else (False, True)
    command = [sys.executable, str(_TRAINING), str(_PAIR_STEPS)]
    told = {
        is_asked: float(
            subprocess.run(
                command, env=_environ(folder, is_asked=is_asked), capture_output=True, text=True, check=True
            ).stdout
        )
        for is_asked in order
    }
    return told[False], told[True]


def _change(pairs: list[tuple[float, float]]) -> Figure:
    changes = [100 * (asked / alone - 1) for alone, asked in pairs]
    half = quantile(0.975, len(pairs) - 1) * statistics.stdev(changes) / len(pairs) ** 0.5
    mean = statistics.mean(changes)
    step_ms = 1000 * statistics.mean(alone for alone, _ in pairs)
    note = (
        f"CPU of a step; 95 %: {mean - half:+.2f} to {mean + half:+.2f} %, {len(pairs)} pairs of {step_ms:.0f} ms steps"
    )
    return Figure("daemon_variable_change", mean, "%", "", note)
