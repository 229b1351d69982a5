"""The reference workload: a GPT of fixed seed and named size, then matrix products by precision, on one chip or a node.

Run by the Python that has torch, which may hold nothing of ours: standard library and torch only, valid for Python 3.8.
An ordinary training script: the hook learns its steps and tokens as any other's. Under torchrun each rank has a
device. The first rank writes one JSON object to stdout.
"""

import argparse
import contextlib
import json
import math
import os
import platform
import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import nn


class Size(NamedTuple):
    """A model and its batch.

    Attributes:
        gemm: rows and columns of the matrices that are multiplied.
    """

    layers: int
    heads: int
    hidden: int
    vocabulary: int
    length: int
    batch: int
    gemm: int


# 7b-blocks has the blocks of a 7B model, and as few of them as fit one device with their optimizer.
SIZES = {
    "small": Size(layers=2, heads=4, hidden=128, vocabulary=512, length=128, batch=4, gemm=256),
    "1b": Size(layers=20, heads=16, hidden=2048, vocabulary=32000, length=2048, batch=4, gemm=8192),
    "7b-blocks": Size(layers=6, heads=32, hidden=4096, vocabulary=32000, length=2048, batch=4, gemm=8192),
}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# The first steps compile, allocate and warm the chip.
WARM_STEPS = 5
LEAST_STEPS = 5
GEMM_SHARE = 0.2
NO_TORCH_DEVICE = 2


class Block(nn.Module):  # type: ignore[misc,unused-ignore]
    """Attention and a feed-forward of four times the width."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.before_attention = nn.LayerNorm(size.hidden)
        self.before_feed = nn.LayerNorm(size.hidden)
        self.qkv = nn.Linear(size.hidden, 3 * size.hidden, bias=False)
        self.out = nn.Linear(size.hidden, size.hidden, bias=False)
        self.feed = nn.Sequential(
            nn.Linear(size.hidden, 4 * size.hidden, bias=False),
            nn.GELU(),
            nn.Linear(4 * size.hidden, size.hidden, bias=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape in and out: [batch, length, hidden]."""
        batch, length, hidden = x.shape
        parts = self.qkv(self.before_attention(x)).view(batch, length, 3, self.heads, hidden // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, hidden))
        return x + self.feed(self.before_feed(x))


class Shape:
    """The model's shape under the names that tools look for."""

    def __init__(self, size: Size) -> None:
        self.num_hidden_layers, self.num_attention_heads, self.hidden_size = size.layers, size.heads, size.hidden


class WeighGPT(nn.Module):  # type: ignore[misc,unused-ignore]
    """A decoder with learnt places and a head of its own."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.config = Shape(size)
        self.tokens = nn.Embedding(size.vocabulary, size.hidden)
        self.places = nn.Embedding(size.length, size.hidden)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.last = nn.LayerNorm(size.hidden)
        self.head = nn.Linear(size.hidden, size.vocabulary, bias=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits for ids of shape [batch, length]."""
        x = self.tokens(input_ids) + self.places.weight[: input_ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits: torch.Tensor = self.head(self.last(x))
        return logits


class Chip(NamedTuple):
    """Where the work runs, and how to wait for it."""

    device: torch.device
    name: str
    wait: Callable[[], None]


def find_chip(wanted: str) -> Chip:
    """The accelerator of this rank, else the CPU; raises ValueError where the wanted kind isn't there."""
    with contextlib.suppress(ImportError):
        import torch_npu  # type: ignore[import-not-found,unused-ignore]  # noqa: F401  # registers the npu device
    accelerator = getattr(torch, "accelerator", None)
    current = accelerator.current_accelerator() if accelerator is not None and accelerator.is_available() else None
    kind = current.type if current is not None else "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cpu" or (wanted == "auto" and kind == "cpu"):
        return Chip(torch.device("cpu"), platform.processor() or platform.machine(), lambda: None)
    if wanted not in ("auto", kind):
        raise ValueError("there is no %s device that torch %s can use; it finds %s" % (wanted, torch.__version__, kind))
    device = torch.device(kind, int(os.environ.get("LOCAL_RANK", "0")))
    module = getattr(torch, kind)
    module.set_device(device)
    return Chip(device, str(module.get_device_name(device)), module.synchronize)


def model_facts(model: nn.Module, size: Size) -> Tuple[int, float]:
    """Matmul parameters (with the head, without embeddings), and FLOPs a token: 6 N + 12 L H Q T (PaLM, appendix B)."""
    embedded = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Embedding))
    matmul = sum(p.numel() for p in model.parameters() if p.dim() >= 2) - embedded
    return matmul, 6.0 * matmul + 12.0 * size.layers * size.hidden * size.length


def train(chip: Chip, size: Size, precision: str, seconds: float) -> Dict[str, Any]:
    """Trains for about so long; what its steps took."""
    torch.manual_seed(1)
    bare = WeighGPT(size).to(chip.device)
    matmul, flops_per_token = model_facts(bare, size)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    model: nn.Module = bare
    if world > 1:
        on = None if chip.device.type == "cpu" else [chip.device.index]
        model = nn.parallel.DistributedDataParallel(bare, device_ids=on)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(size.vocabulary, (size.batch, size.length + 1), generator=generator).to(chip.device)
    times: List[float] = []
    ends_s: List[float] = []
    losses: List[torch.Tensor] = []
    begin_s = time.monotonic()
    while _goes_on(len(times), begin_s + seconds, chip, world):
        chip.wait()
        step_s = time.perf_counter()
        with torch.autocast(chip.device.type, PRECISIONS[precision], enabled=precision != "float32"):
            logits = model(ids[:, :-1])
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        chip.wait()
        times.append(time.perf_counter() - step_s)
        ends_s.append(time.monotonic())
        losses.append(loss.detach())
    first, last = float(losses[0]), float(losses[-1])
    counted = {"counted_from_s": ends_s[WARM_STEPS - 1], "counted_to_s": ends_s[-1]}
    return {**figures(times, size.batch * size.length), **counted,
            "parameters": sum(p.numel() for p in bare.parameters()), "matmul_parameters": matmul,
            "flops_per_token": flops_per_token, "loss_first": first,
            "loss_last": last if math.isfinite(last) else None}  # fmt: skip


def _goes_on(steps: int, end_s: float, chip: Chip, world: int) -> bool:
    """Whether there is another step: the same answer on each rank, or one would wait for ever."""
    goes_on = steps < WARM_STEPS + LEAST_STEPS or time.monotonic() < end_s
    if world == 1:
        return goes_on
    answer = torch.tensor([float(goes_on)], device=chip.device)
    torch.distributed.broadcast(answer, 0)
    return bool(answer.item())


def figures(times: List[float], tokens_per_step: int) -> Dict[str, Any]:
    """Sums and spread of the steps, the first ones apart."""
    counted = sorted(times[WARM_STEPS:])
    mean = sum(counted) / len(counted)
    spread = math.sqrt(sum((t - mean) ** 2 for t in counted) / (len(counted) - 1)) / mean
    return {
        "steps": len(times),
        "tokens": len(times) * tokens_per_step,
        "tokens_per_step": tokens_per_step,
        "steps_left_out": WARM_STEPS,
        "tokens_per_s_device": len(counted) * tokens_per_step / sum(counted),
        "step_p50_s": counted[len(counted) // 2],
        "step_p99_s": counted[min(len(counted) - 1, int(0.99 * len(counted)))],
        "step_cv": spread,
    }


def multiply(chip: Chip, edge: int, precision: str, seconds: float) -> float:
    """TFLOP/s of square matrix products: of the whole time, not of the luckiest."""
    generator = torch.Generator().manual_seed(3)
    a, b = (torch.randn(edge, edge, generator=generator).to(chip.device, PRECISIONS[precision]) for _ in range(2))
    for _ in range(3):
        torch.matmul(a, b)
    chip.wait()
    count, at_once = 0, 1 if chip.device.type == "cpu" else 20
    begin_s = time.perf_counter()
    while count == 0 or time.perf_counter() - begin_s < seconds:
        for _ in range(at_once):
            torch.matmul(a, b)
        chip.wait()
        count += at_once
    return 2.0 * edge**3 * count / (time.perf_counter() - begin_s) / 1e12


def sweep(chip: Chip, edge: int, seconds: float) -> Tuple[Dict[str, Optional[float]], Dict[str, str]]:
    """TFLOP/s by precision; None, with torch's reason, for one that this chip can't do."""
    rates: Dict[str, Optional[float]] = {}
    reasons: Dict[str, str] = {}
    for precision in PRECISIONS:
        try:
            rates[precision] = multiply(chip, edge, precision, seconds / len(PRECISIONS))
        except RuntimeError as error:
            rates[precision], reasons[precision] = None, str(error).partition("\n")[0]
    return rates, reasons


def versions() -> Dict[str, Optional[str]]:
    """Of what the figures depend on."""
    npu = sys.modules.get("torch_npu")
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "torch_npu": getattr(npu, "__version__", None),
    }


def weigh(size_name: str, precision: str, seconds: float, device: str) -> Dict[str, Any]:
    """Trains, then multiplies; all that the slip says."""
    size, world = SIZES[size_name], int(os.environ.get("WORLD_SIZE", "1"))
    chip = find_chip(device)
    if world > 1:
        # Each kind of device brings the collectives that torch knows it by.
        torch.distributed.init_process_group(None if chip.device.type != "cpu" else "gloo")
    if precision == "auto":
        # Few CPUs multiply in 16 bits faster than in 32.
        precision = "float32" if chip.device.type == "cpu" else "bfloat16"
    # What the chip is compared on; the hook reads it here.
    os.environ["STEELYARD_PRECISION"] = precision
    trained = train(chip, size, precision, seconds * (1 - GEMM_SHARE))
    # Afterwards, so that the ceiling is that of a warm chip, as the training's was.
    rates, reasons = sweep(chip, size.gemm, seconds * GEMM_SHARE)
    ceiling = rates[precision]
    reached = trained["tokens_per_s_device"] * trained["flops_per_token"] / 1e12
    if world > 1:
        torch.distributed.destroy_process_group()
    return {
        "size": size_name, "precision": precision, "device": chip.device.type, "chip": chip.name, "devices": world,
        **trained, "tflops_per_device": reached, "gemm_tflops": rates, "gemm_absent": reasons,
        **share_of(reached, ceiling), "versions": versions(),
    }  # fmt: skip


def share_of(reached: float, ceiling: Optional[float]) -> Dict[str, Any]:
    """The share of the ceiling, or why there is none."""
    if ceiling is None:
        return {"share_of_ceiling": None, "share_absent": "this chip multiplies no matrices in this precision"}
    if reached > ceiling:
        reason = "the training beat the plain matrix product, so that is no ceiling: torch has a slow path for it here"
        return {"share_of_ceiling": None, "share_absent": reason}
    return {"share_of_ceiling": reached / ceiling, "share_absent": None}


def main() -> int:
    """Weighs once."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--precision", choices=["auto", *PRECISIONS], default="auto")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--device", choices=("auto", "cuda", "npu", "cpu"), default="auto")
    asked = parser.parse_args()
    try:
        slip = weigh(asked.size, asked.precision, asked.seconds, asked.device)
    except ValueError as error:
        sys.stderr.write("weigh: %s\n" % error)
        return NO_TORCH_DEVICE
    if os.environ.get("RANK", "0") == "0":
        sys.stdout.write(json.dumps(slip) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
