"""`steelyard weigh`: one known training on this chip, and a slip of what it reached."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from steelyard_proto.errors import ConfigError, SteelyardError
from steelyard_proto.units import ABSENT
from steelyard_tui.commands.command import Command
from steelyard_tui.weigh.energy import Readings, energy_of, reading

SCRIPT: Final = Path(__file__).parent.parent / "weigh" / "weigh_gpt.py"
_SIZES: Final = ("small", "1b", "7b-blocks")
_PRECISIONS: Final = ("auto", "bfloat16", "float16", "float32")
_FIND_TORCH: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", choices=_SIZES, default="small", help="of the model (default %(default)s)")
    parser.add_argument(
        "--precision", choices=_PRECISIONS, default="auto", help="auto: float32 on a CPU, bfloat16 elsewhere"
    )
    parser.add_argument("--seconds", type=float, default=300.0, metavar="N", help="in all (default 300)")
    parser.add_argument("--device", choices=("auto", "cuda", "npu", "cpu"), default="auto", help="default %(default)s")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="of this node, by torchrun (default 1)")
    parser.add_argument(
        "--python", default=sys.executable, metavar="FILE", help="the Python that has torch (default: this one)"
    )
    parser.add_argument("--json", action="store_true", help="print the slip as JSON")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.seconds <= 0 or arguments.devices < 1:
        raise ConfigError("must be above 0", key="--seconds" if arguments.seconds <= 0 else "--devices")
    _check_torch(arguments.python)
    job = os.environ.get("STEELYARD_JOB") or f"weigh-{arguments.size}-{time.time():.0f}"
    agent = shutil.which("steelyard-agent", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    with reading(agent, job) as readings:
        words = _words(arguments, agent)
        done = subprocess.run(words, env=_environ(arguments, job), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SteelyardError(f"the weighing ended with {done.returncode}; its own words are above")
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise SteelyardError("the weighing wrote no slip; run it with --devices 1")
    slip = with_energy({"job": job, **json.loads(lines[-1])}, readings)
    text = json.dumps(slip, indent=1) if arguments.json else "\n".join(slip_lines(slip))
    sys.stdout.write(text + "\n")
    return 0


def _check_torch(python: str) -> None:
    try:
        found = subprocess.run([python, "-c", _FIND_TORCH], capture_output=True, text=True)
    except OSError as error:
        raise ConfigError(f"{python} can't be run: {error.strerror}", key="--python") from error
    if found.returncode != 0:
        raise ConfigError(f"{python} has no torch; name the trainer's Python", key="--python")


def with_energy(slip: Mapping[str, Any], readings: Readings) -> dict[str, Any]:
    """The slip with tokens per joule of the steps that its rate counts, or why there are none."""
    energy = energy_of(readings, slip)
    tokens = (slip["steps"] - slip["steps_left_out"]) * slip["tokens_per_step"] * slip["devices"]
    is_known = energy.joules is not None and energy.joules > 0
    return {
        **slip,
        "energy_j": energy.joules,
        "tokens_per_j": tokens / energy.joules if is_known and energy.joules else None,
        "tokens_per_j_absent": None if is_known else energy.absent or "the counters didn't rise",
        "energy_note": energy.note or None,
    }


def _words(arguments: argparse.Namespace, agent: str | None) -> list[str]:
    """The script under the hook, where this machine has an agent's program."""
    words = [agent, "run", "--"] if agent else []
    words.append(arguments.python)
    if arguments.devices > 1:
        words += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={arguments.devices}"]
    words += [str(SCRIPT), "--size", arguments.size, "--precision", arguments.precision]
    return [*words, "--seconds", str(arguments.seconds), "--device", arguments.device]


def _environ(arguments: argparse.Namespace, job: str) -> dict[str, str]:
    """A stratum of its own: nothing else has this model's name and task."""
    declared = {"STEELYARD_JOB": job, "STEELYARD_MODEL": f"weigh-{arguments.size}", "STEELYARD_TASK": "weigh"}
    return {**os.environ, **declared}


def slip_lines(slip: Mapping[str, Any]) -> Iterator[str]:
    """The weigh slip as text."""
    devices = f"{slip['devices']} x " if slip["devices"] > 1 else ""
    yield f"weighed {slip['size']} in {slip['precision']} on {devices}{slip['chip']} ({slip['device']})"
    yield f"tokens/s/device   {slip['tokens_per_s_device']:,.0f}"
    yield f"TFLOP/s/device    {slip['tflops_per_device']:.4g}"
    share = slip["share_of_ceiling"]
    basis = "of the matrix rate measured below"
    yield f"share of ceiling  {f'{ABSENT} ' + slip['share_absent'] if share is None else f'{share:.1%} {basis}'}"
    if slip["tokens_per_j"] is None:
        yield f"tokens/J          {ABSENT} {slip['tokens_per_j_absent']}"
    else:
        how = f"; {slip['energy_note']}" if slip["energy_note"] else ""
        yield f"tokens/J          {slip['tokens_per_j']:.4g} of the devices' energy, {slip['energy_j']:,.0f} J{how}"
    left_out = slip["steps_left_out"]
    times = f"p50 {slip['step_p50_s']:.4g} s, p99 {slip['step_p99_s']:.4g} s, spread {slip['step_cv']:.1%}"
    yield f"step              {times} over {slip['steps'] - left_out} steps (the first {left_out} left out)"
    for precision, rate in slip["gemm_tflops"].items():
        told = f"{rate:.4g} TFLOP/s" if rate is not None else f"{ABSENT} {slip['gemm_absent'][precision]}"
        yield f"matrix {precision:<11}{told}"
    yield "versions          " + ", ".join(f"{name} {text}" for name, text in slip["versions"].items() if text)
    yield f"job               {slip['job']}"


COMMAND = Command(
    name="weigh",
    help="one known training on this chip: its rate, its share of the chip's own ceiling, as a slip",
    examples=(
        "steelyard weigh --seconds 20                                   small, on whatever torch finds",
        "steelyard weigh --size 1b --python /opt/venv/bin/python        one device, about five minutes",
        "steelyard weigh --size 7b-blocks --devices 8 --json            a node",
    ),
    add_arguments=_add_arguments,
    run=_run,
)
