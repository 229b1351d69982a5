"""Distinct stacks in any number, shaped as a training with Python stacks gives them; and the icicle drawn of them.

    python -m tests.bench.load.stacks 100000

shows them in the terminal.
"""

import random
import sys
from typing import Final

from steelyard_tui.flame.shown import Shown
from steelyard_tui.flame.tree import Weighted
from steelyard_tui.flame_app import run_flame

_DEEPEST: Final = 14
_OPERATORS: Final = (
    "aten::mm", "aten::addmm", "aten::bmm", "aten::add", "aten::mul", "aten::copy_", "aten::native_layer_norm",
    "aten::_softmax", "aten::embedding", "aten::gelu", "aten::sum", "nccl:all_reduce", "nccl:all_gather",
)  # fmt: skip


def distinct_stacks(count: int, seed: int = 11) -> Shown:
    """So many, no two alike: a common beginning, then calls of a few thousand functions, then an operator."""
    chance = random.Random(seed)
    functions = [f"model/part_{n % 97}.py({n % 613}): function_{n}" for n in range(4000)]
    begin = ("train.py(12): <module>", "train.py(40): main", "trainer.py(88): fit", "trainer.py(131): train_step")
    found: dict[tuple[str, ...], int] = {}
    while len(found) < count:
        # Few functions near the root, many deep down, as in a real program.
        depth = chance.randrange(4, _DEEPEST)
        path = tuple(functions[int(chance.random() ** 2 * min(4 * 3**level, 4000))] for level in range(depth))
        found[(*begin, *path, chance.choice(_OPERATORS))] = round(chance.paretovariate(1.3) * 1000)
    return Shown(f"{count:,} stacks", tuple(Weighted(frames, weight) for frames, weight in found.items()))


if __name__ == "__main__":
    shown = distinct_stacks(int(sys.argv[1]))
    sys.exit(run_flame(lambda: shown, ascii_only=False))
