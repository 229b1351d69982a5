"""Lines as trainers write them become steps, seconds and tokens; hostile ones become nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_proto.errors import ConfigError
from steelyard_proto.trainlog import MAX_LINE_CHARS, LogReader, load_patterns, parse_patterns, read_log

MEGATRON = """\
  seq_length ...................................... 4096
  world_size ...................................... 16
 [2024-04-06 02:59:36] iteration       40/     100 | consumed samples:         5120 | elapsed time per iteration (ms): \
9999.9 | learning rate: 8.600000E-06 | global batch size:   128 | lm loss: 1.825991E+00 | grad norm: 1.426 |
 [2024-04-06 02:59:41] iteration       44/     100 | consumed samples:         5632 | elapsed time per iteration (ms): \
5500.0 | throughput per GPU (TFLOP/s/GPU): 236.0 | learning rate: 8.8E-06 | global batch size:   128 | \
lm loss: 1.8E+00 |
"""
NEOX = """\
  seq_length ...................... 512
 samples/sec: 8.000 | iteration       33/   10000 | elapsed time per iteration (ms): 4000.0 | learning rate: 2.1E-06 |
 samples/sec: 8.000 | iteration       34/   10000 | elapsed time per iteration (ms): 4000.0 | learning rate: 2.1E-06 |
"""
TITAN = """\
[rank0]:[titan] 2025-11-25 19:44:58,838 - root - INFO - Trainer is initialized with local batch size 8, global batch \
size 64, gradient accumulation steps 1, sequence length 2048, total steps 10 (warmup 2)
[rank0]:[titan] 2026-05-18 16:04:46,000 - root - INFO - \x1b[31mstep: 10  \x1b[32mloss:  3.24405 \
  \x1b[38;2;180;60;0mgrad_norm:  0.8319  memory:  9.46GiB(64.99%)  \x1b[34mtps: 7,282  tflops: 0.52  mfu: 0.17%\x1b[39m
[rank1]:[titan] 2026-05-18 16:04:46,000 - root - INFO - step: 10  loss:  3.2  memory:  9.46GiB(64.99%)  tps: 7,282
[rank0]:[titan] 2026-05-18 16:04:48,500 - root - INFO - step: 20  loss:  3.1  memory:  9.46GiB(64.99%)  tps: 7,334  tflo
[rank1]:[titan] 2026-05-18 16:04:48,500 - root - INFO - step: 20  loss:  3.1  memory:  9.46GiB(64.99%)  tps: 7,334  tflo
"""
NANO = """\
tokens per iteration will be: 262,144
iter 2980: loss 3.9883, time 1099.34ms, mfu 15.34%
iter 2990: loss 3.9883, time 1000.00ms, mfu 15.34%
"""
DEEPSPEED = """\
[2023-08-15 06:31:35,634] [INFO] [config.py:964:print]   train_batch_size ............. 32
[2023-07-25 21:03:17,269] [INFO] [timer.py:215:stop] epoch=0/micro_step=34/global_step=34, RunningAvgSamplesPerSec=7.8,\
 CurrSamplesPerSec=8.00912418308922, MemAllocated=59.65GB, MaxMemAllocated=63.31GB
[2023-07-25 21:03:21,269] [INFO] [timer.py:215:stop] epoch=0/micro_step=35/global_step=35, RunningAvgSamplesPerSec=7.8,\
 CurrSamplesPerSec=8.0, MemAllocated=59.65GB, MaxMemAllocated=63.31GB
"""
FACTORY = """\
{"current_steps": 3200, "total_steps": 3235, "loss": 4.4671, "lr": 1e-08, "epoch": 0.99, "percentage": 98.92, \
"elapsed_time": "5:13:22", "remaining_time": "0:03:25", "throughput": 11.1, "total_tokens": 100000}
{"current_steps": 3210, "total_steps": 3235, "loss": 4.4577, "lr": 1e-08, "epoch": 0.99, "percentage": 99.23, \
"elapsed_time": "5:14:24", "remaining_time": "0:02:26", "throughput": 11.1, "total_tokens": 103100}
"""
TRAINER = """\
  1%|1         | 10/100 [00:27<44:53, 2.72s/it]
{'loss': 2.5586, 'grad_norm': 6.8, 'learning_rate': 5e-05, 'epoch': 0.01, 'num_input_tokens_seen': 196608, \
'train_runtime': 27.5, 'train_tokens_per_second': 7201.711}
  2%|1         | 20/100 [00:54<44:53, 2.72s/it]
{'loss': '2.5586', 'epoch': '0.02', 'num_input_tokens_seen': '393216', 'train_runtime': '54.5'}
"""
FORMERS = """\
{ Epoch:[  1/  2], step:[    1/   19], loss: 10.649, per_step_time: 103328ms, lr: 0.0, overflow cond: False
{ Epoch:[  1/  2], step:[    2/   19], loss: 10.649, per_step_time: 710ms, lr: 0.0, overflow cond: False
"""


@pytest.mark.parametrize(
    ("log", "pattern", "steps", "seconds", "tokens", "device_tokens", "loss"),
    [
        (MEGATRON, "Megatron-LM", 4, 22.0, 4 * 128 * 4096, 4 * 128 * 4096 / 16, 1.8),
        (NEOX, "Megatron-LM", 1, 4.0, 32 * 512, None, None),
        (TITAN, "torchtitan", 10, 2.5, 10 * 64 * 2048, 7334 * 2.5, 3.1),
        (NANO, "nanoGPT", 1, 1.0, 262_144, None, 3.9883),
        (DEEPSPEED, "DeepSpeed", 1, 4.0, None, None, None),
        (FACTORY, "LLaMA-Factory", 10, 62.0, 3100, None, 4.4577),
        (TRAINER, "Hugging Face Trainer", 10, 27.0, 196_608, None, 2.5586),
        (FORMERS, "MindSpore Transformers", 1, 0.71, None, None, 10.649),
    ],
)
def test_a_trainer_s_lines(
    log: str,
    pattern: str,
    steps: int,
    seconds: float,
    tokens: int | None,
    device_tokens: float | None,
    loss: float | None,
) -> None:
    (told,) = read_log(log.splitlines(), load_patterns())
    assert (told.pattern, told.steps, told.tokens) == (pattern, steps, tokens)
    assert told.seconds == pytest.approx(seconds)
    assert told.device_tokens == pytest.approx(device_tokens)
    assert bool(told.tokens_absent) == (tokens is None)
    assert told.loss == loss


def nano(step: int) -> str:
    return f"iter {step}: loss 3.98, time 1000.00ms, mfu 15.34%"


def steps_of(*lines: str) -> list[tuple[int, str]]:
    return [(told.step, told.mark) for told in read_log(lines, load_patterns())]


def test_a_step_with_an_evaluation_is_marked() -> None:
    assert steps_of(nano(1), "step 2: train loss 4.0390, val loss 4.0427", nano(2), nano(3)) == [
        (2, "evaluate"),
        (3, ""),
    ]


def test_late_lines_of_other_ranks_are_not_counted_twice() -> None:
    assert steps_of(nano(10), nano(20), nano(10), nano(20), nano(30)) == [(20, ""), (30, "")]


def test_a_restart_goes_on_from_where_it_fell_to() -> None:
    assert steps_of(nano(800), nano(900), nano(100), nano(200), nano(300)) == [(900, ""), (300, "")]


def test_a_log_of_two_trainers_lines_counts_once() -> None:
    lines = [line for pair in zip(DEEPSPEED.splitlines(), MEGATRON.splitlines()[1:], strict=False) for line in pair]
    assert {told.pattern for told in read_log(lines, load_patterns())} == {"Megatron-LM"}


def test_lines_of_the_past_tell_facts_and_no_steps() -> None:
    reader = LogReader(load_patterns())
    for line in MEGATRON.splitlines():
        reader.read_facts(line)
    assert reader.read(MEGATRON.splitlines()[2]) is None
    told = reader.read(MEGATRON.splitlines()[3])
    assert told is not None
    assert (told.steps, told.tokens) == (4, 4 * 128 * 4096)


PIECES = st.sampled_from(
    ["iteration ", "iter ", "step: ", "1", "9" * 400, "/", " |", ": loss ", "time ", "ms", "\x1b[31m", ".", ",", "-",
     "elapsed time per iteration (ms): ", "global batch size: ", "tps: ", "{'loss': ", "\x00", "seq_length ....... ",
     "| 1/2 [", "<", "٣", "/global_step=", "RunningAvgSamplesPerSec=", "CurrSamplesPerSec=0", "nan", "inf"]
)  # fmt: skip


@given(st.lists(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map("".join)), max_size=20))
def test_hostile_lines_never_raise_and_never_tell_nonsense(lines: list[str]) -> None:
    for told in read_log(lines, load_patterns()):
        assert told.steps >= 1
        assert 0 < told.seconds < float("inf")
        assert told.tokens is None or told.tokens >= 0


@pytest.mark.parametrize(
    "piece", ["iteration 1", "1", " ", ".", "Trainer is initialized with ", "step: 1 loss: ", "| 1/"]
)
def test_a_long_line_costs_no_more_than_it_must(piece: str) -> None:
    reader = LogReader(load_patterns())
    for _ in range(20):
        reader.read(piece * (100 * MAX_LINE_CHARS // len(piece)))


OWN = """
[[pattern]]
name = "ours"
line = 'progress (?P<step>\\d+)'
step_time = "mean"
[pattern.fields]
step_s = 'took ([\\d.]+)'
tokens_per_step = 'tokens (\\d+)'
"""


def test_a_pattern_of_one_s_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN)
    (told,) = read_log(["progress 1 took 2 tokens 5", "progress 3 took 2.5 tokens 5"], load_patterns(file))
    assert (told.pattern, told.steps, told.seconds, told.tokens) == ("ours", 2, 5.0, 10)


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ('name = "ours"', "", "has no name"),
        ("step_s", "step_sec", "known are step, "),
        ("([\\d.]+)", "[\\d.]+", "put parentheses"),
        ("([\\d.]+)", "([\\d.+)", "no regular expression"),
        ("?P<step>", "", "has no step"),
        ('"mean"', '"median"', "write mean or last"),
        ("[pattern.fields]", "[pattern.field]", "unknown key 'field'"),
        ("[[pattern]]", "[[patterns]]", "write [[pattern]]"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(was: str, becomes: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_patterns(OWN.replace(was, becomes), path="own.toml")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("own.toml: ")
