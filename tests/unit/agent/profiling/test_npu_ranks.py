"""Ranks of torch_npu that have one helper ask for them all: windows of each, by steps and by npu-monitor."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from steelyard_agent.jobs.watch import open_reader
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.ascend_export import KERNELS
from tests.standins.profiling import OpenProfiling, open_for_test

ROOT = Path(__file__).parents[4]


@pytest.fixture
def home() -> Iterator[Path]:
    """Of the trainer; a short one: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="sy-") as folder:
        yield Path(folder)


@contextmanager
def training(home: Path, ranks: int, *flags: str, **environ: str) -> Iterator[list[int]]:
    """Ranks of one job; their pids."""
    with ExitStack() as stack:
        pids = []
        for rank in range(ranks):
            place = "other" if rank else "first"
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.standins.npu_trainer", str(home), place, *flags],
                env={**os.environ, "RANK": str(rank), "WORLD_SIZE": str(ranks), "SLURM_JOB_ID": "77", **environ},
                cwd=ROOT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        yield pids


def note_steps(opened: OpenProfiling, pids: list[int]) -> None:
    """Each has told a step."""
    reader = open_reader("node-1")
    facts = [who for pid in pids if (who := reader.read(pid))]
    steps = [batch_pb2.Step(pid=who.pid, start_ms=who.start_ms, ts_ms=1, steps=1, step_time_s=0.1) for who in facts]
    opened.service.note_steps(steps)


@contextmanager
def profiled(home: Path, ranks: int, *flags: str) -> Iterator[tuple[OpenProfiling, list[int]]]:
    """A training whose ranks have told a step each, and profiling over it."""
    with (
        open_for_test(home, blind_s=1e6, appear_s=20.0, npu_home=home) as opened,
        training(home, ranks, *flags) as pids,
    ):
        note_steps(opened, pids)
        yield opened, pids


def ended(opened: OpenProfiling, count: int = 1) -> dict[int, ingest_pb2.Answer]:
    """The last answer of so many ranks."""

    def last() -> dict[int, ingest_pb2.Answer]:
        opened.poll()
        return {one.rank: one for one in opened.answers if one.state in ("stored", "failed")}

    until(lambda: len(last()) == count, 60.0)
    return last()


def test_npu_monitor_times_the_kernels_of_one_rank_for_as_long_as_is_asked(home: Path) -> None:
    with profiled(home, 2) as (opened, pids):
        opened.ask(ingest_pb2.ProfileAsk(pid=pids[1], duration_ms=200))
        answer = ended(opened)[1]
        assert answer.state == "stored", answer.text
        (result,) = opened.results
        profile = result.profile
        assert (profile.profiler, profile.pid, profile.rank, profile.job) == ("npu_monitor", pids[1], 1, "77")
        assert (profile.kernels, profile.HasField("steps"), list(profile.notes)) == (len(KERNELS), False, [])
        assert profile.kernels_ns == sum(kernel[4] for kernel in KERNELS)
        told = {row.name: row.total_ns for row in result.rows if row.by == "operator"}
        assert told == {kernel[0]: kernel[4] for kernel in KERNELS}
        opened.answers.clear()
        opened.ask(ingest_pb2.TraceAsk(profile=answer.profile), "2")
        opened.wait_for_last()
        with tarfile.open(fileobj=io.BytesIO(b"".join(one.piece for one in opened.answers))) as file:
            assert len([name for name in file.getnames() if f"msmonitor_{pids[1]}_" in name]) == 2
    assert not list((home / "fabric/traces").iterdir())


def test_without_libmspti_it_is_said_what_is_missing(home: Path) -> None:
    with profiled(home, 1, "--no-libmspti") as (opened, pids):
        opened.ask(ingest_pb2.ProfileAsk(pid=pids[0], duration_ms=200))
        assert "libmspti.so" in ended(opened)[0].text


@pytest.mark.parametrize("flags", [(), ("--old",)])
def test_each_rank_has_its_own_window_one_after_another(home: Path, flags: tuple[str, ...]) -> None:
    with profiled(home, 2, *flags) as (opened, pids):
        opened.ask(ingest_pb2.ProfileAsk(job="77", ranks=[0, 1]))
        answers = ended(opened, 2)
        assert [answers[rank].state for rank in (0, 1)] == ["stored", "stored"], answers
        assert [(one.profile.rank, one.profile.pid) for one in opened.results] == [(0, pids[0]), (1, pids[1])]
        assert {one.profile.profiler for one in opened.results} == {"npu_trace"}


def test_a_window_of_somebody_else_is_not_disturbed(home: Path) -> None:
    with profiled(home, 2) as (opened, pids):
        opened.ask(ingest_pb2.ProfileAsk(pid=pids[0], duration_ms=5_000))
        until(lambda: opened.states())
        opened.ask(ingest_pb2.ProfileAsk(pid=pids[1]), "2")
        assert "another window" in ended(opened)[1].text


def test_without_a_daemon_they_read_the_agents_file_and_each_rank_has_its_own_windows(home: Path) -> None:
    folder = home / "fabric/npu"
    with (
        open_for_test(home, blind_s=1e6, appear_s=20.0, has_npu_file=True) as opened,
        training(home, 2, PROF_CONFIG_PATH=str(folder)) as pids,
    ):
        opened.service.note_holders(dict.fromkeys(pids, ()))
        until((home / "reads").exists)
        opened.ask(ingest_pb2.ProfileAsk(pid=pids[1], duration_ms=500))
        assert "ask for steps" in ended(opened)[1].text
        note_steps(opened, pids)
        opened.answers.clear()
        opened.ask(ingest_pb2.ProfileAsk(job="77", ranks=[0, 1], with_shapes=True), "2")
        answers = ended(opened, 2)
        assert [answers[rank].state for rank in (0, 1)] == ["stored", "stored"], answers
        stored = [one.profile for one in opened.results if one.profile.state == "stored"]
        assert [(one.rank, one.pid, one.profiler) for one in stored] == [
            (0, pids[0], "dynamic_profile"),
            (1, pids[1], "dynamic_profile"),
        ]
        assert json.loads((folder / "profiler_config.json").read_text())["record_shapes"] is True
    assert not list((home / "fabric/traces").iterdir())


def test_a_file_that_another_user_could_change_is_never_read(home: Path) -> None:
    (home / "fabric").mkdir()
    (home / "elsewhere").mkdir()
    (home / "fabric/npu").symlink_to(home / "elsewhere")
    with open_for_test(home, has_npu_file=True) as opened:
        opened.poll()
        assert ["not a folder of the agent's own" in event.text for event in opened.events] == [True]
    assert not list((home / "elsewhere").iterdir())
