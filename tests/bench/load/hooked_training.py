"""The trainings of the hook's bench: `train` prints tokens a second; `costs` times what hooks add to a step.

Runs under the hook where the environment says so, as `steelyard-agent run` sets it.
"""

import json
import math
import random
import statistics
import sys
import time

import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer

VOCABULARY = 256
# Of `train`: some 10 ms a step on one core, so that what the hook adds to a step isn't lost in it.
BATCH, LENGTH, WIDTH, LAYERS = 8, 128, 128, 4
STEPS, FIRST_STEPS = 300, 20
# Of `costs`: so many micro-batches a step, and steps of each.
MICRO_BATCHES = (1, 9)
ROUNDS = 3000


class Model(nn.Module):
    """An embedding, layers and a head, called by name as models are."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.layers = nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.layers(self.embedding(input_ids)))
        return logits


class Idle(nn.Module):
    """A model that computes nothing, so that what is timed is the hooks."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2, 2)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return input_ids


def costs() -> dict[str, list[float]]:
    """What hooks add to the CPU of a step in us, by micro-batches: the median difference.

    Steps without hooks, with empty ones and with ours take turns, so that what slows the machine slows them alike. Ours
    once `held`, a step that ends soon after a datagram, and once `told`, a step that is followed by one.
    """
    import steelyard_watch

    ids = torch.zeros(8, 128, dtype=torch.int64)
    models = {name: Idle() for name in ("none", "empty", "held", "told")}
    optimizers = {name: torch.optim.SGD(model.parameters()) for name, model in models.items()}
    registered = torch_optimizer._global_optimizer_post_hooks
    ours = dict(registered)
    assert len(ours) == 1, f"{len(ours)} hooks follow a step; the bench needs Steelyard's alone"
    models["empty"].register_forward_pre_hook(lambda module, args, kwargs: None, with_kwargs=True)
    empty = torch_optimizer.register_optimizer_step_post_hook(lambda optimizer, args, kwargs: None)
    hooks = {"none": {}, "empty": {empty.id: registered[empty.id]}, "held": ours, "told": ours}
    found: dict[str, list[float]] = {"empty": [], "held": [], "told": []}
    for forwards in MICRO_BATCHES:
        times: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(FIRST_STEPS + ROUNDS):
            # In any order: what runs after the longest finds the caches the coldest.
            for name in random.sample(tuple(models), len(models)):
                registered.clear()
                registered.update(hooks[name])
                steelyard_watch._TELL_EVERY_S = 0.0 if name == "told" else math.inf
                times[name].append(timed_us(models[name], optimizers[name], ids, forwards))
        for name, differences in found.items():
            pairs = zip(times[name][FIRST_STEPS:], times["none"][FIRST_STEPS:], strict=True)
            differences.append(statistics.median(hooked - bare for hooked, bare in pairs))
    assert models["told"]._forward_pre_hooks, "the hook has not found the model"
    return found


def timed_us(model: nn.Module, optimizer: torch.optim.Optimizer, ids: torch.Tensor, forwards: int) -> float:
    """CPU of this thread in one step."""
    begin_ns = time.thread_time_ns()
    for _ in range(forwards):
        model(input_ids=ids)
    optimizer.step()
    return (time.thread_time_ns() - begin_ns) / 1000


def train() -> dict[str, float]:
    """Tokens a second, by the clock and by this process's CPU."""
    model = Model(WIDTH, LAYERS)
    optimizer = torch.optim.AdamW(model.parameters())
    begin_s, begin_cpu_s = 0.0, 0.0
    for number in range(FIRST_STEPS + STEPS):
        if number == FIRST_STEPS:
            begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        ids = torch.randint(0, VOCABULARY, (BATCH, LENGTH))
        nn.functional.cross_entropy(model(input_ids=ids).flatten(0, 1), ids.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
    tokens = STEPS * BATCH * LENGTH
    return {
        "by_clock": tokens / (time.perf_counter() - begin_s),
        "by_cpu": tokens / (time.process_time() - begin_cpu_s),
        "step_ms": 1000 * (time.perf_counter() - begin_s) / STEPS,
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    random.seed(0)
    torch.set_num_threads(1)
    print(json.dumps(costs() if sys.argv[1] == "costs" else train()))
