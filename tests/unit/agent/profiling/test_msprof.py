"""System sampling by msprof: a program in its place leaves what it would, or goes wrong in ways of its own."""

import io
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard_agent.model import DeviceInfo
from steelyard_agent.profiling.landing import Unusable
from steelyard_agent.profiling.msprof import Msprof, keep_rates
from steelyard_agent.profiling.sampled import Unsampled
from steelyard_proto.v1 import ingest_pb2
from tests.standins.agent_parts import until
from tests.standins.fabric_trainer import FabricTrainer
from tests.standins.msprof import HCCS, MIB, write_sampling
from tests.standins.profiling import OpenProfiling, open_for_test

ROOT = Path(__file__).parents[4]
PID = os.getpid()


def npu(index: int) -> DeviceInfo:
    return DeviceInfo(uid=f"npu-{index}", vendor="huawei", kind="npu", name="910B", metrics={}, index=index)


@pytest.fixture
def home() -> Iterator[Path]:
    """A short one: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="sy-") as folder:
        yield Path(folder)


def stand_in(folder: Path, body: str = "") -> str:
    """A program in msprof's place: does what `body` says, then samples; its words are in `told`."""
    script = folder / "msprof"
    begin = f'#!/bin/sh\necho "$@" >{folder}/told\nmkdir "$ASCEND_PROCESS_LOG_PATH" || exit 9\n{body}\n'
    script.write_text(f'{begin}cd {ROOT} && exec {sys.executable} -m tests.standins.msprof "$@"\n')
    script.chmod(0o755)
    return str(script)


def asked(opened: OpenProfiling, trainer: FabricTrainer, *held: DeviceInfo, name: str = "1") -> None:
    trainer.ask(types=1)
    opened.service.note_holders({PID: held})
    opened.ask(ingest_pb2.ProfileAsk(pid=PID, duration_ms=2000, link_rates=True), name)


def ended(opened: OpenProfiling) -> ingest_pb2.Answer:
    """The last word about the window of msprof: the other is asked of a process that doesn't fetch it."""

    def last() -> list[ingest_pb2.Answer]:
        opened.poll()
        return [one for one in opened.answers if one.state in ("stored", "failed")]

    until(last, 100.0)
    return last()[0]


def test_the_npus_of_a_process_are_sampled_and_their_rates_become_a_profile(home: Path) -> None:
    with (
        open_for_test(home, msprof=stand_in(home), npu_home=home) as opened,
        FabricTrainer(home, str(home / "dynolog.sock")) as trainer,
    ):
        asked(opened, trainer, npu(3), npu(4))
        answer = ended(opened)
        assert (answer.state, answer.text) == ("stored", "28 rates of hbm, hccs, pcie, roce")
        (result,) = opened.results
        profile = result.profile
        assert (profile.profiler, profile.state, profile.job) == ("msprof", "stored", answer.job)
        assert [profile.HasField(name) for name in ("window_ns", "steps", "kernels")] == [False] * 3
        assert "of a core" in profile.notes[0]
        sent = {rate.index: rate for rate in profile.rates if (rate.link, rate.direction) == ("hccs", "sent")}
        assert sorted(sent) == [3, 4]
        assert (sent[3].mean_bytes_per_s, sent[3].max_bytes_per_s) == (sum(HCCS[0]) / 2, max(HCCS[0]))
        told = dict(word.removeprefix("--").split("=") for word in (home / "told").read_text().split())
        assert (told["sys-devices"], told["sys-period"]) == ("3,4", "2")
        assert {name for name, value in told.items() if value == "on"} == {
            "sys-hardware-mem", "sys-interconnection-profiling", "sys-io-profiling",
        }  # fmt: skip
        opened.answers.clear()
        opened.ask(ingest_pb2.TraceAsk(profile=profile.id), "2")
        opened.wait_for_last()
        with tarfile.open(fileobj=io.BytesIO(b"".join(one.piece for one in opened.answers))) as file:
            names = [Path(name).name for name in file.getnames() if not file.getmember(name).isdir()]
        assert sorted(name.split("_")[0] for name in names) == ["hbm", "hccs", "msprof", "pcie"]
    assert [path.suffix for path in (home / "state/traces").iterdir()] == [".tar"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('echo "[ERROR] device 3 is profiled already"; echo bye; exit 1', "msprof: [ERROR] device 3 is profiled"),
        ("exit 3", "msprof: it ended with 3"),
        ("exit 0", "msprof left no table and no database"),
    ],
)
def test_why_there_are_no_rates(home: Path, body: str, reason: str) -> None:
    with (
        open_for_test(home, msprof=stand_in(home, body), npu_home=home) as opened,
        FabricTrainer(home, str(home / "dynolog.sock")) as trainer,
    ):
        asked(opened, trainer, npu(3))
        assert reason in ended(opened).text
        assert [(one.profile.profiler, one.profile.state) for one in opened.results] == [("msprof", "failed")]
    assert not list((home / "state/traces").iterdir())


@pytest.mark.parametrize("held", [(), (DeviceInfo(uid="g", vendor="nvidia", kind="gpu", name="H100", metrics={}),)])
def test_nothing_is_sampled_where_no_npu_is_known(home: Path, held: tuple[DeviceInfo, ...]) -> None:
    with (
        open_for_test(home, msprof=stand_in(home), npu_home=home) as opened,
        FabricTrainer(home, str(home / "dynolog.sock")) as trainer,
    ):
        asked(opened, trainer, *held)
        assert "holds no NPU" in ended(opened).text
    assert not (home / "told").exists()


def test_the_process_has_no_other_window_meanwhile(home: Path) -> None:
    body = f"while [ ! -e {home}/go ]; do sleep 0.02; done"
    with (
        open_for_test(home, msprof=stand_in(home, body), npu_home=home) as opened,
        FabricTrainer(home, str(home / "dynolog.sock")) as trainer,
    ):
        trainer.ask(types=1)
        opened.service.note_holders({PID: (npu(3),)})
        opened.ask(ingest_pb2.ProfileAsk(pid=PID, link_rates=True))
        until(lambda: "recording" in opened.states())
        assert trainer.ask() == {}
        until(lambda: opened.poll() or opened.answers[-1].text == "waits until msprof has ended in the process")
        (home / "go").touch()
        until(lambda: opened.poll() or opened.results)
        assert trainer.ask(), "its turn has come"


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path) -> None:
    write_sampling(tmp_path / "out")
    with pytest.raises(Unusable, match="max_trace_mb"):
        keep_rates(tmp_path / "out", 1000)
    assert not list(tmp_path.iterdir())


def test_its_children_end_with_it(tmp_path: Path) -> None:
    now_s = [0.0]
    program = stand_in(tmp_path, f"sleep 600 & echo $! >{tmp_path}/child; wait")
    run = Msprof([3], 1, tmp_path / "out", MIB, program=program, clock=lambda: now_s[0])
    until((tmp_path / "child").exists)
    until(lambda: (tmp_path / "child").read_text().strip())
    assert run.poll() is None
    now_s[0] = 1e6
    with pytest.raises(Unsampled, match="did not come to an end"):
        run.poll()
    child = int((tmp_path / "child").read_text())
    until(lambda: not Path(f"/proc/{child}").exists() or b"\nState:\tZ" in Path(f"/proc/{child}/status").read_bytes())


def test_without_the_program_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unsampled, match=r"set_env\.sh"):
        Msprof([3], 1, tmp_path / "out", MIB, program=str(tmp_path / "nowhere"))
