"""Stacks of py-spy from a file: what the main thread waited for, and every thread in the flame graph."""

from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_proto.errors import TraceError
from steelyard_traces.reading import read_recording
from steelyard_tui.cli import main

LOADER = "_MultiProcessingDataLoaderIter._try_get_data (torch/utils/data/dataloader.py:1291)"
RAW = f"""\
thread (29655): MainThread;<module> (slow.py:7);{LOADER};wait (multiprocessing/connection.py:947) 72
thread (29655): MainThread;<module> (slow.py:8);Optimizer.step (torch/optim/optimizer.py:500) 2
thread (29655): MainThread;<module> (slow.py:9);all_reduce (torch/distributed/distributed_c10d.py:2810) 6
thread (29714): Saver;Thread.run (threading.py:982);write (slow.py:90) 200
"""


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    path = tmp_path / "stacks.txt"
    path.write_text(RAW, encoding="utf-8")
    return path


def test_the_main_thread_is_shown_and_a_sample_stands_for_its_time(stacks: Path) -> None:
    recording = read_recording(stacks, 50)
    profile = recording.profile
    parts = {part.name: part.duration_ns for part in profile.parts}
    assert parts == {
        "data wait": 1_440_000_000,
        "waits for a collective": 120_000_000,
        "outside operators": 40_000_000,
    }
    assert (profile.window_ns, profile.data_wait_ns, profile.devices) == (1_600_000_000, 1_440_000_000, 0)
    assert profile.notes == ("80 samples of the thread MainThread of 2 threads at 50 Hz",)
    rows = {stack.frames[0]: stack.duration_ns for stack in recording.stacks()}
    assert rows["Saver"] == 4_000_000_000


def test_without_thread_names_all_is_one_thread(tmp_path: Path) -> None:
    path = tmp_path / "stacks.txt"
    path.write_text("<module> (slow.py:7);step (slow.py:70) 10\n", encoding="utf-8")
    profile = read_recording(path, 100).profile
    assert (profile.window_ns, profile.notes) == (100_000_000, ("10 samples of the thread ? at 100 Hz",))


def test_the_command_asks_how_often_and_shows_it(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "--file", str(stacks)]) == 1
    assert "say it, as --hz N" in capsys.readouterr().err
    assert main(["ops", "--file", str(stacks), "--hz", "50"]) == 0
    said = capsys.readouterr().out
    assert "data wait" in said
    assert "90.0%" in said
    with pytest.raises(SystemExit):
        main(["ops", "--file", str(stacks), "--hz", "0"])


@pytest.mark.parametrize("text", [b"thread (1): MainThread;a (b.py:1) x\n", b"<module> (a.py:1);\xff (a.py:2) 3\n"])
def test_what_is_no_file_of_stacks_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "stacks.txt"
    path.write_bytes(text)
    with pytest.raises(TraceError):
        read_recording(path, 50)
