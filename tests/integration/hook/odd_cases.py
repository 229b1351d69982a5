"""Trainings that are written in unusual ways, each with what the hook should say; see cases.py.

`right` counts after the first step, `steps_may_lack` and `tokens_may_lack` say how late a model may be found.
"""

import os
import sys
from collections import UserDict
from collections.abc import Callable
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from steelyard_agent.hook.start import with_hook
from tests.integration.hook.cases import (
    BATCH,
    LENGTH,
    PER_STEP,
    STEPS,
    VOCABULARY,
    Model,
    Truth,
    loss_of,
    right,
    tokens,
    train,
)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def foreach() -> Truth:
    model = Model()
    train(model, torch.optim.AdamW(model.parameters(), foreach=True))
    return right()


def functional_call() -> Truth:
    model = Model()
    parameters = dict(model.named_parameters())
    train(model, sgd(model), call=lambda ids: torch.func.functional_call(model, parameters, (ids,)))
    return right()


def evaluation_in_inference_mode() -> Truth:
    model = Model()
    optimizer = sgd(model)
    for step in range(STEPS):
        train(model, optimizer, 1)
        if step == 5:
            model.eval()
            with torch.inference_mode():
                model(tokens())
            model.train()
    return {"steps": STEPS - 2, "tokens": (STEPS - 2) * PER_STEP, "marked_steps": 1, "marked_tokens": PER_STEP}


def scaled(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Gradients of two steps overflow."""
    scaler = torch.amp.GradScaler("cpu")
    for step in range(STEPS):
        ids = tokens()
        loss = loss_of(model(ids), ids)
        scaler.scale(loss * torch.inf if step in (4, 7) else loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def scaler_that_skips_steps() -> Truth:
    model = Model()
    scaled(sgd(model), model)
    # A skipped step is no call of the optimizer's: its time and tokens are the next one's.
    return {"steps": STEPS - 1 - 2, "tokens": (STEPS - 1) * PER_STEP}


def scaler_and_fused_optimizer() -> Truth:
    model = Model()
    scaled(torch.optim.AdamW(model.parameters(), fused=True), model)
    # The fused one is called and skips inside.
    return right()


def generator_and_discriminator_one_to_one() -> Truth:
    generator, discriminator = Model(32), Model(8)
    slow, fast = sgd(generator), sgd(discriminator)
    for _ in range(STEPS):
        for model, optimizer in ((discriminator, fast), (generator, slow)):
            train(model, optimizer, 1)
    return right()


def optimizer_of_somebodys_own() -> Truth:
    class Own(torch.optim.Optimizer):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {})

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            with torch.no_grad():
                for group in self.param_groups:
                    for parameter in group["params"]:
                        parameter.sub_(parameter.grad, alpha=0.1)

    model = Model()
    train(model, Own(model.parameters()))
    return right()


def no_torch_optimizer() -> Truth:
    class Plain:
        def __init__(self, model: nn.Module) -> None:
            self.model = model

        def step(self) -> None:
            with torch.no_grad():
                for parameter in self.model.parameters():
                    parameter.sub_(parameter.grad, alpha=0.1)

        def zero_grad(self) -> None:
            self.model.zero_grad()

    model = Model()
    train(model, Plain(model))
    return {"steps": None, "tokens": None}


def compiled_in_place_as_one_graph() -> Truth:
    model = Model()
    model.compile(backend="eager", fullgraph=True)
    train(model, sgd(model))
    return right()


def compiled_layers() -> Truth:
    model = Model()
    model.layer.compile(backend="eager")
    model.head = torch.compile(model.head, backend="eager")
    train(model, sgd(model))
    return right()


def compiled_forward() -> Truth:
    model = Model()
    model.forward = torch.compile(model.forward, backend="eager")  # type: ignore[method-assign]
    train(model, sgd(model))
    return right()


def compiled_function_that_steps() -> Truth:
    model = Model()
    optimizer = sgd(model)

    @torch.compile(backend="eager")
    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(STEPS):
        ids = tokens()
        loss_of(model(ids), ids).backward()
        update()
    return right()


def compiled_loss_around_the_model() -> Truth:
    model = Model()
    optimizer = sgd(model)
    loss = torch.compile(lambda ids: loss_of(model(ids), ids), backend="eager")
    for _ in range(STEPS):
        loss(tokens()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return {"steps": STEPS - 1, "tokens": None, "steps_may_lack": 3}


def compiled_whole_step() -> Truth:
    model = Model()
    optimizer = sgd(model)

    @torch.compile(backend="eager")
    def step(ids: torch.Tensor) -> None:
        loss_of(model(ids), ids).backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(STEPS):
        step(tokens())
    return {"steps": STEPS - 1, "tokens": None, "steps_may_lack": 3}


def checkpointed_layers() -> Truth:
    class Checkpointed(Model):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            x = self.embedding(input_ids)
            for _ in range(2):
                x = checkpoint(self.layer, x, use_reentrant=False)
            return self.head(x)

    model = Checkpointed()
    train(model, sgd(model))
    return right()


def tokenizers_batch() -> Truth:
    class Encoded(Model):
        def forward(self, batch: Any) -> torch.Tensor:
            return super().forward(batch["input_ids"])

    model = Encoded()
    # As BatchEncoding is: a mapping that is no dict.
    train(
        model, sgd(model), call=lambda ids: model(UserDict({"attention_mask": torch.ones_like(ids), "input_ids": ids}))
    )
    return right()


def embedding_outside_of_forward() -> Truth:
    class Headed(Model):
        def forward(self, embedded: torch.Tensor) -> torch.Tensor:
            return self.head(torch.relu(self.layer(embedded)))

    model = Headed()
    train(model, sgd(model), call=lambda ids: model(model.embedding(ids)))
    return {**right(), "tokens_may_lack": 4 * PER_STEP}


def forward_called_by_its_name() -> Truth:
    model = Model()
    train(model, sgd(model), call=model.forward)
    return {**right(), "steps_may_lack": 3, "tokens_may_lack": 5 * PER_STEP}


def exported_model() -> Truth:
    model = torch.export.export(Model(), (tokens(),)).module()
    train(model, sgd(model))
    return right()


def in_a_child(begin: str) -> Truth:
    child = get_context(begin).Process(target=plain_in_a_child)
    child.start()
    child.join()
    return right()


def plain_in_a_child() -> None:
    model = Model()
    train(model, sgd(model))


def forked_child() -> Truth:
    return in_a_child("fork")


def spawned_child() -> Truth:
    os.environ["PYTHONPATH"] = with_hook(os.environ)["PYTHONPATH"]
    return in_a_child("spawn")


def workers_that_load_data() -> Truth:
    model = Model()
    optimizer = sgd(model)
    batches = torch.randint(0, VOCABULARY, (STEPS, BATCH, LENGTH))
    for (ids,) in torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(batches.flatten(0, 1)), BATCH, num_workers=2
    ):
        loss_of(model(ids), ids).backward()
        optimizer.step()
        optimizer.zero_grad()
    return right()


def low_rank_adapters() -> Truth:
    class Adapted(nn.Module):
        def __init__(self, base: nn.Linear) -> None:
            super().__init__()
            self.base = base
            self.a, self.b = nn.Linear(16, 2, bias=False), nn.Linear(2, 16, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.base(x) + self.b(self.a(x))

    model = Model().requires_grad_(False)
    whole = sum(p.numel() for p in model.parameters())
    model.layer = Adapted(model.layer)  # type: ignore[assignment]
    train(model, torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1))
    return {**right(), "facts": {"parameters": whole + 64, "trainable_parameters": 64}}


def autocast_around_the_forward() -> Truth:
    model = Model()

    def call(ids: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return model(ids)

    train(model, sgd(model), call=call)
    return {**right(), "facts": {"precision": "bfloat16"}}


def autocast_inside_of_the_forward() -> Truth:
    class Cast(Model):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return super().forward(input_ids)

    model = Cast()
    train(model, sgd(model))
    return {**right(), "facts": {"precision": "bfloat16"}}


def float8_layers() -> Truth:
    class Float8Linear(nn.Linear):
        """torchao's is called so, and keeps its weight in a wider type too."""

    model = Model()
    model.layer = Float8Linear(16, 16)
    train(model, sgd(model))
    return {**right(), "facts": {"precision": "float8"}}


def in_transformer_engines_autocast(module: str, recipe: SimpleNamespace, precision: str) -> Truth:
    model = Model()
    state = SimpleNamespace(is_fp8_enabled=lambda: True, get_fp8_recipe=lambda: recipe)
    sys.modules[module] = SimpleNamespace(FP8GlobalStateManager=state)  # type: ignore[assignment]
    train(model, sgd(model))
    return {**right(), "facts": {"precision": precision}}


def float8_by_transformer_engine() -> Truth:
    # Up to its version 2.7 recipes have no such question, and the state stands here up to 2.8.
    return in_transformer_engines_autocast("transformer_engine.pytorch.fp8", SimpleNamespace(), "float8")


def float8_by_a_new_transformer_engine() -> Truth:
    recipe = SimpleNamespace(nvfp4=lambda: False)
    return in_transformer_engines_autocast("transformer_engine.pytorch.quantization", recipe, "float8")


def float4_by_transformer_engine() -> Truth:
    recipe = SimpleNamespace(nvfp4=lambda: True)
    return in_transformer_engines_autocast("transformer_engine.pytorch.quantization", recipe, "float4")


class DeepSpeedEngine(nn.Module):
    """DeepSpeed's is called so; with the sizes of its groups, and how ZeRO-3 notes what a parameter is as a whole."""

    def __init__(self, module: nn.Module, ranks: int) -> None:
        super().__init__()
        self.module = module
        self.mp_world_size, self.dp_world_size, self.sequence_parallel_size = ranks, 8 // ranks, 1
        for parameter in module.parameters():
            parameter.ds_numel, parameter.ds_shape = 10 * parameter.numel(), parameter.shape  # type: ignore[attr-defined]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


def deepspeed_engine() -> Truth:
    model = Model()
    engine = DeepSpeedEngine(model, ranks=1)
    train(engine, sgd(engine))
    whole = 10 * sum(p.numel() for p in model.parameters())
    facts = {"architecture": "Model", "parameters": whole, "tensor_parallel": 1, "data_parallel": 8}
    return {**right(), "facts": facts}


def deepspeed_engine_of_tensor_parallel_ranks() -> Truth:
    engine = DeepSpeedEngine(Model(), ranks=2)
    train(engine, sgd(engine))
    reason = "DeepSpeed's model-parallel ranks have a shard each"
    return {**right(), "facts": {"tensor_parallel": 2, "data_parallel": 4, "absent.parameters": reason}}


CASES: tuple[Callable[[], Truth], ...] = (
    foreach, functional_call, evaluation_in_inference_mode, scaler_that_skips_steps, scaler_and_fused_optimizer,
    generator_and_discriminator_one_to_one, optimizer_of_somebodys_own, no_torch_optimizer,
    compiled_in_place_as_one_graph, compiled_layers, compiled_forward, compiled_function_that_steps,
    compiled_loss_around_the_model, compiled_whole_step, checkpointed_layers, tokenizers_batch,
    embedding_outside_of_forward, forward_called_by_its_name, exported_model, forked_child, spawned_child,
    workers_that_load_data, low_rank_adapters, autocast_around_the_forward, autocast_inside_of_the_forward,
    float8_layers, float8_by_transformer_engine, float8_by_a_new_transformer_engine, float4_by_transformer_engine,
    deepspeed_engine, deepspeed_engine_of_tensor_parallel_ranks,
)  # fmt: skip
