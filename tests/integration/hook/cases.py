"""Trainings that the hook meets, each with what it should say: run by `run_cases.py` in a process of its own.

A case trains eight optimizer steps (where it says nothing else) on batches of 4 x 64 tokens and returns what is true of
it: the steps after the first, and the tokens of those. The first step of a process is never counted.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

Truth = dict[str, Any]
STEPS, BATCH, LENGTH, VOCABULARY = 12, 4, 64, 50
PER_STEP = BATCH * LENGTH


class Model(nn.Module):
    """An embedding, a layer and a head."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.layer = nn.Linear(width, width)
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.layer(self.embedding(input_ids))))


def tokens() -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (BATCH, LENGTH))


def loss_of(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, -2), ids.flatten())


def train(
    model: nn.Module, optimizer: Any, steps: int = STEPS, call: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> None:
    for _ in range(steps):
        ids = tokens()
        loss_of((call or model)(ids), ids).backward()
        optimizer.step()
        optimizer.zero_grad()


def right(steps: int = STEPS, per_step: int = PER_STEP) -> Truth:
    return {"steps": steps - 1, "tokens": (steps - 1) * per_step}


def plain() -> Truth:
    model = Model()
    train(model, torch.optim.AdamW(model.parameters()))
    return right()


def fused_and_copied() -> Truth:
    model = Model()
    train(model, copy.deepcopy(torch.optim.AdamW(model.parameters(), fused=True)))
    return right()


def accumulation_of_four() -> Truth:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        for _ in range(4):
            ids = tokens()
            loss_of(model(ids), ids).backward()
        optimizer.step()
        optimizer.zero_grad()
    return right(per_step=4 * PER_STEP)


def evaluation_without_gradients() -> Truth:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(STEPS):
        train(model, optimizer, 1)
        if step == 5:
            model.eval()
            with torch.no_grad():
                for _ in range(3):
                    model(tokens())
            model.train()
    # The step with the evaluation before it is marked: its tokens are right, its time is not the training's.
    return {"steps": STEPS - 2, "tokens": (STEPS - 2) * PER_STEP, "marked_steps": 1, "marked_tokens": PER_STEP}


def evaluation_with_gradients_on() -> Truth:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        model.eval()
        model(tokens())
        model.train()
        train(model, optimizer, 1)
    return right()


def training_in_evaluation_mode() -> Truth:
    model = Model().eval()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    return right()


def a_root_checkpointed(use_reentrant: bool) -> Truth:
    model = Model()
    train(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        call=lambda ids: checkpoint(model, ids, use_reentrant=use_reentrant),
    )
    return right()


def root_checkpointed_non_reentrant() -> Truth:
    return a_root_checkpointed(use_reentrant=False)


def root_checkpointed_reentrant() -> Truth:
    model = Model()
    train(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        # Reentrant checkpointing needs an input with a gradient beside the ids.
        call=lambda ids: checkpoint(lambda x, _: model(x), ids, torch.zeros(1, requires_grad=True), use_reentrant=True),
    )
    return right()


class Positioned(Model):
    def forward(self, position_ids: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return super().forward(tokens)


def positions_before_tokens() -> Truth:
    model = Positioned()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), call=lambda ids: model(torch.arange(LENGTH)[None], ids))
    return right()


class Dictionary(Model):
    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return super().forward(batch["input_ids"])


def a_dictionary_of_tensors() -> Truth:
    model = Dictionary()
    train(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        call=lambda ids: model({"attention_mask": torch.ones_like(ids), "input_ids": ids}),
    )
    return right()


def packed_in_one_dimension() -> Truth:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        ids = tokens().flatten()
        loss_of(model(input_ids=ids), ids).backward()
        optimizer.step()
    return right()


def padding_and_labels() -> Truth:
    class Masked(Model):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(super().forward(input_ids).flatten(0, -2), labels.flatten())

    model = Masked()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        ids = tokens()
        mask, labels = torch.ones_like(ids), ids.clone()
        mask[:, -10:] = 0
        labels[:, -20:] = -100
        model(input_ids=ids, attention_mask=mask, labels=labels).backward()
        optimizer.step()
    return {
        **right(),
        "nonpad_tokens": (STEPS - 1) * BATCH * (LENGTH - 10),
        "loss_tokens": (STEPS - 1) * BATCH * (LENGTH - 20),
    }


def vision_has_no_tokens() -> Truth:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        model(torch.randn(4, 3, 8, 8)).sum().backward()
        optimizer.step()
    return {"steps": STEPS - 1, "tokens": None}


def segmentation_labels_are_no_tokens() -> Truth:
    class Segmenter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 5, 3, padding=1)

        def forward(self, image: torch.Tensor, seg: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(self.layer(image), seg)

    model = Segmenter()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        model(torch.randn(2, 3, 16, 16), torch.randint(0, 5, (2, 16, 16))).backward()
        optimizer.step()
    return {"steps": STEPS - 1, "tokens": None}


def an_extra_module_that_is_never_called() -> Truth:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model()

        def training_step(self, ids: torch.Tensor) -> torch.Tensor:
            return self.model(ids)

    holder = Holder()
    train(holder, torch.optim.SGD(holder.parameters(), lr=0.1), call=holder.training_step)
    return {**right(), "steps_may_lack": 4, "tokens_may_lack": 5 * PER_STEP}


def frozen_reference() -> Truth:
    model, reference = Model(), Model().requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        ids = tokens()
        with torch.no_grad():
            reference(ids)
        loss_of(model(ids), ids).backward()
        optimizer.step()
    return right()


def policy_and_value_with_rollouts() -> Truth:
    policy, value = Model(32), Model(8)
    optimizer = torch.optim.SGD([*policy.parameters(), *value.parameters()], lr=0.1)
    for _ in range(STEPS):
        ids = tokens()
        with torch.no_grad():
            for _ in range(5):
                policy(tokens())
        (loss_of(policy(ids), ids) + loss_of(value(ids), ids)).backward()
        optimizer.step()
    return right()


def second_training() -> Truth:
    for _ in range(2):
        model = Model()
        train(model, torch.optim.SGD(model.parameters(), lr=0.1))
        del model
    # The step at the boundary belongs to neither.
    return {**right(2 * STEPS - 1), "steps_may_lack": 1}


def compiled_model() -> Truth:
    model = torch.compile(Model(), backend="eager")
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    return right()


def compiled_in_place() -> Truth:
    model = Model()
    model.compile(backend="eager")
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    return right()


def scripted_model_trains_on() -> Truth:
    model = torch.jit.script(nn.Sequential(nn.Embedding(VOCABULARY, 8), nn.Linear(8, VOCABULARY)))
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    return {"steps": STEPS - 1, "tokens": None, "steps_may_lack": 3}


def frozen_by_the_garbage_collector() -> Truth:
    import gc

    model = Model()
    gc.freeze()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    return {**right(), "tokens_may_lack": 3 * PER_STEP}


def checkpoint_between_steps() -> Truth:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer, 6)
    optimizer.state_dict()
    train(model, optimizer, 6)
    return {"steps": STEPS - 2, "tokens": (STEPS - 2) * PER_STEP, "marked_steps": 1, "marked_tokens": PER_STEP}


CASES: tuple[Callable[[], Truth], ...] = (
    plain, fused_and_copied, accumulation_of_four, evaluation_without_gradients, evaluation_with_gradients_on,
    training_in_evaluation_mode, root_checkpointed_non_reentrant, root_checkpointed_reentrant,
    positions_before_tokens, a_dictionary_of_tensors, packed_in_one_dimension, padding_and_labels,
    vision_has_no_tokens, segmentation_labels_are_no_tokens, an_extra_module_that_is_never_called, frozen_reference,
    policy_and_value_with_rollouts, second_training, compiled_model, compiled_in_place, scripted_model_trains_on,
    frozen_by_the_garbage_collector, checkpoint_between_steps,
)  # fmt: skip
