"""The trainings of the hook's bench: `train` prints tokens a second; `costs` times a small step with and without hooks.

Runs under the hook where the environment says so, as `steelyard-agent run` sets it.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer

VOCABULARY = 256
# Of `train`: some 20 ms a step on one core.
BATCH, LENGTH, WIDTH, LAYERS = 16, 128, 128, 4
STEPS, FIRST_STEPS = 300, 20
# Of `costs`: so many micro-batches a step, in turns of so many steps.
MICRO_BATCHES = (1, 9)
TURNS, STEPS_OF_TURN = 60, 25
Step = Callable[[], None]


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


def step_of(model: nn.Module, optimizer: torch.optim.Optimizer, ids: torch.Tensor, forwards: int) -> Step:
    """A training step of so many micro-batches."""

    def step() -> None:
        for _ in range(forwards):
            nn.functional.cross_entropy(model(input_ids=ids).flatten(0, 1), ids.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def costs() -> dict[str, list[float]]:
    """Thread CPU of a step in us, by what hooks there are: none, empty ones, Steelyard's. The median of all steps.

    The three take turns in one process, so that whatever else slows the machine slows them alike.
    """
    ids = torch.zeros(2, 8, dtype=torch.int64)
    models = {name: Model(8, 1) for name in ("none", "empty", "steelyard")}
    optimizers = {name: torch.optim.SGD(model.parameters(), lr=0.0) for name, model in models.items()}
    ours = dict(torch_optimizer._global_optimizer_post_hooks)
    assert len(ours) == 1, f"{len(ours)} hooks after a step; the bench needs Steelyard's alone"
    models["empty"].register_forward_pre_hook(lambda module, args, kwargs: None, with_kwargs=True)
    empty = torch_optimizer.register_optimizer_step_post_hook(lambda optimizer, args, kwargs: None)
    hooks = {"none": {}, "empty": {empty.id: torch_optimizer._global_optimizer_post_hooks[empty.id]}, "steelyard": ours}
    found: dict[str, list[list[float]]] = {name: [[] for _ in MICRO_BATCHES] for name in models}
    for _ in range(TURNS):
        for name, model in models.items():
            with only(hooks[name]):
                for times, forwards in zip(found[name], MICRO_BATCHES, strict=True):
                    step = step_of(model, optimizers[name], ids, forwards)
                    # The first steps of all meet the model, and those of a turn warm the caches.
                    times += list(timed_us(step))[5:]
    assert models["steelyard"]._forward_pre_hooks, "the hook has not found the model"
    return {name: [statistics.median(times) for times in lists] for name, lists in found.items()}


@contextmanager
def only(hooks: dict[int, object]) -> Iterator[None]:
    """These hooks, and no others, follow an optimizer's step."""
    registered = torch_optimizer._global_optimizer_post_hooks
    registered.clear()
    registered.update(hooks)  # type: ignore[arg-type]
    yield


def timed_us(step: Step) -> Iterator[float]:
    """CPU of this thread in each step of a turn."""
    for _ in range(STEPS_OF_TURN):
        begin_ns = time.thread_time_ns()
        step()
        yield (time.thread_time_ns() - begin_ns) / 1000


def train() -> dict[str, float]:
    """Tokens a second, by the clock and by this process's CPU."""
    model = Model(WIDTH, LAYERS)
    optimizer = torch.optim.AdamW(model.parameters())
    begin_s, begin_cpu_s = 0.0, 0.0
    for number in range(FIRST_STEPS + STEPS):
        if number == FIRST_STEPS:
            begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        step_of(model, optimizer, torch.randint(0, VOCABULARY, (BATCH, LENGTH)), 1)()
    tokens = STEPS * BATCH * LENGTH
    return {
        "by_clock": tokens / (time.perf_counter() - begin_s),
        "by_cpu": tokens / (time.process_time() - begin_cpu_s),
        "step_ms": 1000 * (time.perf_counter() - begin_s) / STEPS,
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print(json.dumps(costs() if sys.argv[1] == "costs" else train()))
