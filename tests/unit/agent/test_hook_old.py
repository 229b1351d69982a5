"""The hook in Pythons of other versions, and in torch 2.1 and 2.2, whose compiler takes hooks from optimizers."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steelyard_agent.hook.start import HOOK_PATH, with_hook

FILES = sorted(HOOK_PATH.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_valid_for_python_3_8(file: Path) -> None:
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_older_pythons_can_read_what_they_load() -> None:
    """Annotations are what Python 2 stumbles over: it would say so on the standard error of a tool of that age."""
    functions = [
        node
        for node in ast.walk(ast.parse((HOOK_PATH / "sitecustomize.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    assert functions
    assert not any(function.returns or function.args.args for function in functions)


def test_a_python_that_shows_all_warnings_shows_none_of_ours(tmp_path: Path) -> None:
    code = "import steelyard_step, steelyard_datagram; steelyard_step.step(); steelyard_datagram.Sender()"
    environ = with_hook({"STEELYARD_SOCKET": str(tmp_path / "nobody")})
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def compile_something(*kinds: Any) -> None:
    """What the first torch.compile of torch 2.1 does to its optimizers."""
    for kind in kinds:
        if getattr(kind.step, "hooked", False) and getattr(kind.step, "__wrapped__", None):
            kind.step = kind.step.__wrapped__
        kind.step.hooked = True


def test_steps_are_told_before_and_after_something_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: make test TORCH=1")
    monkeypatch.syspath_prepend(str(HOOK_PATH))
    optimizer = importlib.import_module("torch.optim.optimizer")
    monkeypatch.setattr(optimizer.Optimizer, "_patch_step_function", optimizer.Optimizer._patch_step_function)
    for module in ("steelyard_old_torch", "steelyard_precision"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    told: list[object] = []
    importlib.import_module("steelyard_old_torch").after_steps(told.append)

    class Early(torch.optim.SGD):  # type: ignore[misc]
        def step(self, closure: Any = None) -> str:
            return "early"

    class Late(torch.optim.SGD):  # type: ignore[misc]
        def step(self, closure: Any = None) -> str:
            return "late"

    class Derived(Early):
        """Has the step of its base."""

    parameter = torch.nn.Parameter(torch.zeros(2))
    early, derived = Early([parameter]), Derived([parameter])
    assert (early.step(), derived.step(), told) == ("early", "early", [early, derived])
    compile_something(Early, Late)
    late, another = Late([parameter]), Early([parameter])
    told.clear()
    assert (early.step(), late.step(), another.step(), derived.step()) == ("early", "late", "early", "early")
    assert told == [early, late, another, derived]
