"""The hook in unmodified trainings: what it says of steps and tokens equals what each script did."""

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
HAS_TORCH = importlib.util.find_spec("torch") is not None


def named(module: str) -> list[str]:
    """A module's cases, which only a child imports: it needs torch."""
    text = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8").split("CASES:")[1]
    names = text.split("= (", 1)[1].split(")")[0].replace("\n", " ").split(",")
    return [name.strip() for name in names if name.strip()]


MODULES = ("cases", "optimizer_cases", "odd_cases")
CASES = [(module, name) for module in MODULES for name in named(module)]

pytestmark = [
    pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed: make test TORCH=1"),
    pytest.mark.timeout(400),
]


@cache
def results(module: str) -> dict[str, dict[str, Any]]:
    """All cases, run once: importing torch costs more than most of them."""
    command = [sys.executable, "-m", "tests.integration.hook.run_cases", module]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return {result["case"]: result for result in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize(("module", "name"), CASES, ids=[name for _, name in CASES])
def test_what_the_hook_says_is_true(module: str, name: str) -> None:
    result = results(module)[name]
    truth, said = result["truth"], result["step"]
    assert truth, "the training itself failed"
    assert not result["off"], "the hook turned itself off"
    if truth["steps"] is None:
        assert not said
        return
    assert truth["steps"] - truth.get("steps_may_lack", 0) <= int(said["steps"]) <= truth["steps"]
    if truth["tokens"] is None:
        assert "tokens" not in said
    else:
        per_step = truth["tokens"] // truth["steps"]
        lack = max(truth.get("tokens_may_lack", 0), truth.get("steps_may_lack", 0) * per_step)
        assert truth["tokens"] - lack <= int(said["tokens"]) <= truth["tokens"]
        assert lack == 0 or int(said["tokens"]) % per_step == 0
    for key in ("marked_steps", "marked_tokens", "nonpad_tokens", "loss_tokens"):
        if key in truth:
            assert int(said[key]) == truth[key], key
    facts = truth.get("facts", {})
    assert {key: result["facts"].get(key) for key in facts} == {key: str(value) for key, value in facts.items()}


def test_the_facts_of_a_model() -> None:
    facts = results("cases")["plain"]["facts"]
    # 50 x 16 embedding, 16 x 16 layer, 16 x 50 head, their biases; the embedding is no matmul.
    assert int(facts["parameters"]) == 50 * 16 + 16 * 16 + 16 + 16 * 50 + 50
    assert int(facts["matmul_parameters"]) == 16 * 16 + 16 * 50
    assert (facts["architecture"], facts["optimizer"], facts["precision"]) == ("Model", "AdamW", "float32")
