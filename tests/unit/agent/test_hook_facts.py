"""What the hook knows without a model: the environment, Megatron-LM's arguments, and versions of what is loaded."""

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from steelyard_agent.hook.start import HOOK_PATH
from steelyard_agent.training.datagram import Datagram
from steelyard_agent.training.facts import read_facts


@pytest.fixture
def facts_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HOOK_PATH))
    return importlib.import_module("steelyard_facts").facts_of


def loaded(monkeypatch: pytest.MonkeyPatch, name: str, **attributes: object) -> None:
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


def test_megatron_s_arguments_and_versions_become_facts(facts_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"global_batch_size": 64, "seq_length": 4096, "num_layers": 32, "pipeline_model_parallel_size": 4}
    arguments = SimpleNamespace(**sizes, recompute_granularity="selective")
    loaded(monkeypatch, "megatron.training.global_vars", _GLOBAL_ARGS=arguments)
    loaded(monkeypatch, "megatron.core", __version__="0.15.0")
    loaded(monkeypatch, "deepspeed", __version__=None)
    told = {name: str(value) for name, value in facts_of(None, object(), (2, 4096)) if value is not None}
    facts = read_facts(Datagram("facts", 1, told))
    assert facts.values["recompute"] is True
    assert (facts.values["pipeline_parallel"], facts.origins["pipeline_parallel"]) == (4, "declared")
    assert facts.software["megatron.core"] == "0.15.0"
    assert "deepspeed" not in facts.software
    arguments.recompute_granularity = None
    told = {name: str(value) for name, value in facts_of(None, object(), ()) if value is not None}
    assert read_facts(Datagram("facts", 2, told)).values["recompute"] is False
