"""Trainings whose optimizers are used in unusual ways, each with what the hook should say; see cases.py."""

from collections.abc import Callable

import torch

from tests.integration.hook.cases import (
    BATCH,
    LENGTH,
    PER_STEP,
    STEPS,
    Model,
    Truth,
    loss_of,
    right,
    tokens,
    train,
)


def averaged_weights() -> Truth:
    model = Model()
    average = torch.optim.swa_utils.AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        train(model, optimizer, 1)
        average.update_parameters(model)
    return right()


def two_optimizers() -> Truth:
    model = Model()
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    first, second = torch.optim.SGD(matrices, lr=0.1), torch.optim.AdamW(others)
    for _ in range(STEPS):
        ids = tokens()
        loss_of(model(ids), ids).backward()
        second.step()
        first.step()
        model.zero_grad()
    # The smaller one stepped first, so the larger began to lead a step later or not: either is right.
    return {"steps": STEPS - 1, "tokens": (STEPS - 1) * PER_STEP, "steps_may_lack": 1}


def an_optimizer_for_each_parameter() -> Truth:
    model = Model()
    optimizers = [torch.optim.SGD([p], lr=0.1) for p in model.parameters()]
    for _ in range(STEPS):
        ids = tokens()
        loss_of(model(ids), ids).backward()
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
    return {**right(), "steps_may_lack": 1}


def optimizer_in_backward() -> Truth:
    model = Model()
    optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}

    def step(parameter: torch.Tensor) -> None:
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in optimizers:
        parameter.register_post_accumulate_grad_hook(step)
    for _ in range(STEPS):
        ids = tokens()
        loss_of(model(ids), ids).backward()
    return {**right(), "steps_may_lack": 1}


def inner_steps_of_a_wrapper() -> Truth:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        ids = tokens()
        loss_of(model(ids), ids).backward()
        optimizer.step()
        optimizer.step()
    return right()


def generator_and_discriminator_five_to_one() -> Truth:
    generator, discriminator = Model(32), Model(8)
    slow, fast = (torch.optim.SGD(m.parameters(), lr=0.1) for m in (generator, discriminator))
    for _ in range(STEPS):
        for _ in range(5):
            ids = tokens()
            loss_of(discriminator(ids), ids).backward()
            fast.step()
        ids = tokens()
        loss_of(generator(ids), ids).backward()
        slow.step()
    return right()


def lbfgs() -> Truth:
    model = Model()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4, tolerance_grad=0.0, tolerance_change=0.0)

    calls: list[int] = []

    def closure() -> torch.Tensor:
        calls[-1] += 1
        optimizer.zero_grad()
        ids = torch.zeros(BATCH, LENGTH, dtype=torch.long)
        loss = loss_of(model(ids), ids)
        loss.backward()
        return loss

    for _ in range(STEPS):
        calls.append(0)
        optimizer.step(closure)
    # Processed tokens: each call of the closure works through the batch.
    return {"steps": STEPS - 1, "tokens": sum(calls[1:]) * PER_STEP}


def compiled_call_of_the_optimizer() -> Truth:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    step = torch.compile(optimizer.step, backend="eager")
    for _ in range(STEPS):
        ids = tokens()
        loss_of(model(ids), ids).backward()
        step()
        optimizer.zero_grad()
    return right()


def master_copies() -> Truth:
    model = Model()
    masters = [p.detach().clone().requires_grad_() for p in model.parameters()]
    optimizer = torch.optim.SGD(masters, lr=0.1)
    for _ in range(STEPS):
        ids = tokens()
        loss_of(model(ids), ids).backward()
        for master, parameter in zip(masters, model.parameters(), strict=True):
            master.grad = parameter.grad
        optimizer.step()
        model.zero_grad()
    return right()


CASES: tuple[Callable[[], Truth], ...] = (
    averaged_weights, two_optimizers, an_optimizer_for_each_parameter, optimizer_in_backward,
    inner_steps_of_a_wrapper, generator_and_discriminator_five_to_one, lbfgs, compiled_call_of_the_optimizer,
    master_copies,
)  # fmt: skip
