"""Hugging Face Trainer, Accelerate and Lightning: what hook and callbacks say is what the model was given."""

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
LACKING = [name for name in ("torch", "transformers", "accelerate", "lightning") if not importlib.util.find_spec(name)]
CASES = (
    "hugging_face_padded", "hugging_face_evaluating", "hugging_face_compiled", "hugging_face_checkpointed",
    "hugging_face_callback", "lightning_plain", "lightning_inner", "lightning_callback", "accelerate_plain",
    "accelerate_said",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)} not installed: make test TORCH=1"),
    pytest.mark.timeout(400),
]


@cache
def results() -> dict[str, dict[str, Any]]:
    """All cases, run once: their imports cost more than most of them."""
    command = [sys.executable, "-m", "tests.integration.hook.run_cases", "trainer_cases"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case": ')]
    return {result["case"]: result for result in told}


def test_every_case_is_looked_at() -> None:
    assert sorted(results()) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_steps_tokens_and_parameters_are_the_scripts_own(name: str) -> None:
    result = results()[name]
    truth = result["truth"]
    assert truth, "the training itself failed"
    assert not result["off"], "the hook turned itself off"
    assert result["facts"]["parameters"] == str(truth.pop("parameters"))
    assert result["facts"]["precision"] == truth.pop("precision", "float32")
    said = {key: result["step"].get(key) for key in truth}
    assert said == {key: str(value) for key, value in truth.items()}


@pytest.mark.parametrize("name", ["hugging_face_padded", "lightning_plain", "accelerate_plain"])
def test_padding_and_questions_are_kept_apart_from_what_is_learnt(name: str) -> None:
    said = results()[name]["step"]
    assert int(said["loss_tokens"]) < int(said["nonpad_tokens"]) < int(said["tokens"])


@pytest.mark.parametrize("name", ["hugging_face_callback", "lightning_callback", "accelerate_said"])
def test_who_says_steps_is_not_counted_by_the_hook_too(name: str) -> None:
    said = results()[name]
    assert said["step"]["origin"] == "declared"
    assert int(said["facts"]["number"]) <= int(said["step"]["number"])


def test_the_trainer_s_own_loss_is_told_by_its_callback() -> None:
    assert 0 < float(results()["hugging_face_callback"]["step"]["loss"]) < 20
