"""`steelyard compare --file`: two logs become a share with its interval by the one method, or a clear reason."""

import gzip
import json
import math
import random
from pathlib import Path

import pytest

from steelyard_efficiency.between import Share, these_jobs
from steelyard_efficiency.within import job_figure
from steelyard_tui.cli import main

MEGATRON_HEAD = "  seq_length ...... 4096\n  world_size ...... {devices}\n"
BATCH = 128


def megatron(steps: int, seconds: list[float], *, devices: int = 8, begin: int = 0, head: bool = True) -> str:
    """A line a step, as the trainer writes them."""
    lines = [MEGATRON_HEAD.format(devices=devices)] if head else []
    lines += [
        f" [2026-01-01 00:00:00] iteration {begin + n:8d}/ {steps + begin:7d} | consumed samples: "
        f"{(begin + n) * BATCH:12d} | elapsed time per iteration (ms): {1000 * seconds[n - 1]:.1f} | "
        f"global batch size: {BATCH:5d} | lm loss: 1.8E+00 |\n"
        for n in range(1, steps + 1)
    ]
    return "".join(lines)


def noisy(mean_s: float, steps: int, seed: int) -> list[float]:
    source = random.Random(seed)
    return [round(mean_s * math.exp(source.gauss(0, 0.05)), 4) for _ in range(steps)]


def put(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def said_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["compare", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def pair(folder: Path) -> tuple[str, str]:
    reference = put(folder, "h100.log", megatron(400, noisy(6.0, 400, 1)))
    return reference, put(folder, "910b.log", megatron(400, noisy(15.0, 400, 2), devices=8))


def test_two_logs_give_a_share_with_the_interval_of_these_jobs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, other = pair(tmp_path)
    code, out, err = said_of(capsys, "--file", reference, "--file", other, "--format", "json")
    assert (code, err) == (0, "")
    [shown] = [row for row in json.loads(out) if row["is_shown"]]
    assert (shown["chip"], shown["reference"], shown["kind"]) == ("910b", "h100", "these jobs")
    assert (shown["marked"], shown["token_kind"], shown["n_a"], shown["n_r"]) == ("productive", "processed", 1, 1)
    # By hand: the steps after the first five minutes, in minutes of the log's own time.
    figures = []
    for mean_s, seed in ((15.0, 2), (6.0, 1)):
        minutes: dict[int, list[float]] = {}
        passed, steps = 0.0, 0
        # The first line only sets the clock.
        for seconds in (round(1000 * s, 1) / 1000 for s in noisy(mean_s, 400, seed)[1:]):
            passed += seconds
            if passed >= 300:
                sums = minutes.setdefault(int(passed // 60), [0.0, 0.0])
                sums[0] += BATCH * 4096
                sums[1] += 8 * seconds
                steps += 1
        assert steps > 300
        figure = job_figure([c for c, _ in minutes.values()], [s for _, s in minutes.values()], steps=steps)
        assert figure is not None
        figures.append(figure)
    expected = these_jobs(figures[:1], figures[1:])
    assert isinstance(expected, Share)
    assert (shown["ratio"], shown["lo"], shown["hi"]) == pytest.approx((expected.ratio, expected.low, expected.high))
    assert shown["lo"] < 0.4 < shown["hi"] < 0.42
    assert shown["tokens_per_s_device"] == pytest.approx(figures[0].ratio)
    texts = " ".join(shown["warnings"])
    assert "says nothing of the chips" in texts
    assert "that these are one workload is your word" in texts
    assert not [row for row in json.loads(out) if row["kind"] == "jobs like these" and row["lo"] is not None]


def test_people_read_what_was_counted_and_a_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, other = pair(tmp_path)
    code, out, _ = said_of(capsys, "--file", other, "--file", reference, "--reference-file", "h100", "--ascii")
    assert code == 0
    assert out.isascii()
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert lines["h100"][1:6] == ["Megatron-LM", "8", "350", "49", "first"]
    assert "share of h100 in tokens/s per device, by 2 training logs" in out
    assert "] over these jobs; 2.5 devices = 1 h100" in out
    assert "1 against 1 job of 1 workload; processed tokens over productive time" in out
    code, out, _ = said_of(capsys, "--file", other, "--file", reference, "--format", "csv")
    assert code == 0
    assert {"chip", "ratio", "lo", "hi", "warnings"} <= set(out.splitlines()[0].split(","))


def test_what_the_log_doesn_t_say_is_declared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = put(tmp_path, "a.log", megatron(400, noisy(6.0, 400, 1), head=False))
    other = put(tmp_path, "b.log", megatron(400, noisy(6.0, 400, 3), head=False))
    files = ("--file", reference, "--file", other, "--format", "json")
    code, out, err = said_of(capsys, *files)
    assert (code, out) == (2, "")
    assert err == (
        f"steelyard: {reference}: line 2: the log doesn't say how long a sequence is; give --tokens-per-step a.log=N, "
        "which is the global batch times the sequence length\n"
    )
    code, _, err = said_of(capsys, *files, "--tokens-per-step", "524288")
    assert code == 2
    assert f"{reference}: up to line 400 it doesn't say on how many devices it trained; give --devices a.log=N" in err
    told = ("--tokens-per-step", "524288", "--devices", "8", "--devices", "b=16")
    code, out, _ = said_of(capsys, *files, *told)
    assert code == 0
    shown = next(row for row in json.loads(out) if row["is_shown"])
    assert shown["ratio"] == pytest.approx(0.5, rel=0.03)
    assert (shown["n_a"], shown["n_r"]) == (1, 1)


def test_another_sequence_length_is_another_workload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, other = pair(tmp_path)
    text = Path(other).read_text().replace("seq_length ...... 4096", "seq_length ...... 8192")
    other = put(tmp_path, "long.log", text)
    code, out, _ = said_of(capsys, "--file", reference, "--file", other, "--format", "json")
    assert code == 0
    [row] = json.loads(out)
    assert row["ratio"] is None
    assert row["reason"] == "the logs' training runs on both, but not with the same sequence length"


def test_marks_are_left_out_and_a_restart_begins_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["tokens per iteration will be: 262,144\n"]
    for n in range(600):
        if n % 100 == 99:
            lines.append(f"step {n}: train loss 3.1, val loss 3.2\n")
        lines.append(f"iter {n}: loss 3.9883, time {20000 if n % 100 == 99 else 2000}.00ms, mfu 15.34%\n")
    nano = put(tmp_path, "nano.log", "".join(lines))
    begun = put(tmp_path, "again.log", "".join([*lines[:304], *lines]))
    code, out, err = said_of(capsys, "--file", nano, "--file", begun, "--devices", "1")
    assert code == 0
    counted = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    # Of 599 lines after the first: 139 of the first five minutes, and six with an evaluation before them.
    assert (counted["nano"][3], counted["nano"][4:8]) == ("454", ["6", "evaluate,", "139", "first"])
    assert err.count("each line of nanoGPT tells of its last step alone") == 2
    # 299 lines more before it began anew, with first minutes of their own; the line after the fall sets the clock.
    assert (counted["again"][3], counted["again"][4:8]) == ("610", ["9", "evaluate,", "278", "first"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty; give the log of a training"),
        (b"  \n\n", "is empty"),
        (b"\x7fELF\0\0\0" * 100, "is no text; give what the training printed"),
        (gzip.compress(b"iteration", mtime=0), "is packed (gzip); unpack it first"),
        (b"hello\nworld\n", "none of its 2 lines is a line of progress that is known (Megatron-LM, torchtitan, "),
        (megatron(1, [6.0]).encode(), "line 3 is its only line of progress (Megatron-LM)"),
        (megatron(30, [6.0] * 30).encode(), "nothing is left of its 29 steps in 174 s"),
        (b"{'loss': 2.5, 'epoch': 0.1}\n  1%|1  | 10/100 [00:27<44:53]\n{'loss': 2.5, 'epoch': 0.1}\n",
         "lines of Hugging Face Trainer like this one don't say how long a step took"),
    ],
)  # fmt: skip
def test_a_file_that_can_t_be_compared_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, reason: str
) -> None:
    (tmp_path / "bad.log").write_bytes(content)
    good = put(tmp_path, "good.log", megatron(400, noisy(6.0, 400, 1)))
    code, out, err = said_of(capsys, "--file", good, "--file", str(tmp_path / "bad.log"))
    assert (code, out) == (2, "")
    assert err.startswith(f"steelyard: {tmp_path}/bad.log: ")
    assert reason in err


def test_a_log_that_is_cut_off_counts_without_its_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, other = pair(tmp_path)
    whole = Path(other).read_text()
    # Cut inside the figure: "15" of "15123.4" would be a step of 15 ms.
    cut = put(tmp_path, "cut.log", whole[: whole.rindex("iteration (ms): ") + len("iteration (ms): 15")])
    code, out, err = said_of(capsys, "--file", reference, "--file", cut)
    assert code == 0
    assert err == f"{cut}: its last line isn't whole and is left out: it was cut off, or is still being written\n"
    assert "0.40 [" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--file", "a.log"), "--file: there is only a.log; give --file at least twice"),
        (("--file", "a.log", "--file", "a.log"), "--file: a.log is given twice"),
        (("--file", "a.log", "--file", "b.log", "--devices", "c=8"), "--devices: 'c' is none of the files"),
        (("--file", "a.log", "--file", "b.log", "--devices", "a=0"), "--devices: is 'a=0'; give a whole number"),
        (("--file", "a.log", "--file", "b.log", "--devices", "many"), "--devices: is 'many'"),
        (("--file", "a.log", "--file", "b.log", "--quantity", "tokens_per_j"), "--quantity: a log knows of tokens"),
        (("--file", "/none/a.log", "--file", "b.log"), "/none/a.log: can't be read: No such file or directory"),
        (("--devices", "8"), "--devices: is for training logs; name them with --file"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str) -> None:
    code, _, err = said_of(capsys, *arguments)
    assert code == 2
    assert reason in err


def test_three_logs_are_held_against_the_first_and_blind_trainers_over_all_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, other = pair(tmp_path)
    former = "".join(
        f"{{ Epoch:[  1/  2], step:[{n:5d}/  400], loss: 10.6, per_step_time: {1000 * s:.0f}ms, lr: 0.0\n"
        for n, s in enumerate(noisy(12.0, 400, 5), 1)
    )
    blind = put(tmp_path, "mind.log", former)
    flags = ("--devices", "mind=8", "--tokens-per-step", f"mind={BATCH * 4096}")
    code, out, _ = said_of(capsys, "--file", reference, "--file", other, "--file", blind, *flags, "--format", "json")
    assert code == 0
    shown = {row["chip"]: row for row in json.loads(out) if row["is_shown"]}
    assert {chip: row["marked"] for chip, row in shown.items()} == {"910b": "productive", "mind": "wall"}
    assert shown["mind"]["ratio"] == pytest.approx(0.5, rel=0.03)
    warnings = " ".join(shown["mind"]["warnings"])
    assert "MindSpore Transformers doesn't tell checkpoints and evaluations from steps" in warnings
    assert "unlike trainers" in warnings
    assert "splits by chip: origin of the tokens" in warnings


def titan(rate: float, seed: int) -> str:
    """Lines of one rank; the logger's clock tells the time, and the rate is a device's."""
    source = random.Random(seed)
    lines = []
    for n in range(1, 331):
        minute, second = divmod(10 * n, 60)
        lines.append(
            f"[rank0]:[titan] 2026-05-18 16:{minute:02d}:{second:02d},000 - root - INFO - step: {10 * n}  loss:  3.2"
            f"  memory:  9.4GiB(64%)  tps: {rate * math.exp(source.gauss(0, 0.02)):,.0f}  tflops: 0.52\n"
        )
    return "".join(lines)


def test_a_log_that_counts_for_one_device_needs_no_number_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [put(tmp_path, "fast.log", titan(7000, 1)), put(tmp_path, "slow.log", titan(3500, 2))]
    code, out, err = said_of(capsys, "--file", files[0], "--file", files[1])
    assert (code, err) == (0, "")
    row = next(line for line in out.splitlines() if line.startswith("fast"))
    assert "torchtitan  a device's own" in row
    assert "0.50 [" in out
    assert "processed tokens over productive time" in out
