"""A training of several ranks, as a person would write it, which also says what it did: run by torchrun on CPUs.

torchrun ... train_ranks.py ddp|fsdp2 FOLDER
"""

import faulthandler
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

STEPS, LENGTH, VOCABULARY = 12, 32, 50
# For a rank to find the others, and for the whole training; one that hangs says where, and ends.
PATIENCE_S, WHOLE_S = 60, 150


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 16)
        self.layer = nn.Linear(16, 16)
        self.head = nn.Linear(16, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.layer(self.embedding(input_ids))))


def main() -> None:
    faulthandler.dump_traceback_later(WHOLE_S, exit=True)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=PATIENCE_S))
    rank = dist.get_rank()
    torch.manual_seed(rank)
    model: nn.Module = Model()
    parameters = sum(p.numel() for p in model.parameters())
    if sys.argv[1] == "ddp":
        model = DistributedDataParallel(model)
    else:
        fully_shard(model.layer)
        fully_shard(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    counted: list[int] = []
    for step in range(STEPS):
        # Ranks differ in their batches, as packed ones do.
        ids = torch.randint(0, VOCABULARY, (2 + (rank + step) % 3, LENGTH))
        counted.append(ids.numel())
        nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
    said = {"pid": os.getpid(), "steps": STEPS - 1, "tokens": sum(counted[1:]), "parameters": parameters}
    (Path(sys.argv[2]) / f"{rank}.json").write_text(json.dumps(said))
    dist.barrier()
    # What holds the group goes before it: gloo may else wait at the interpreter's end for ranks that have left.
    del model, optimizer
    dist.destroy_process_group()
    # The interpreter's end is watched over too: that is where a hook of ours could hold it up.


if __name__ == "__main__":
    main()
