"""What a process tells of its training, checked: declared goes before inferred, and nonsense is left out by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from steelyard_agent.training.datagram import Datagram
from steelyard_proto.v1 import batch_pb2

_TEXTS: Final = ("model", "architecture", "optimizer", "precision", "task", "currency")
# The highest value that makes sense of each.
_NUMBERS: Final[Mapping[str, int]] = {
    "parameters": 10**15,
    "trainable_parameters": 10**15,
    "matmul_parameters": 10**15,
    "active_parameters": 10**15,
    "layers": 100_000,
    "heads": 1_000_000,
    "hidden": 10_000_000,
    "head_size": 1_000_000,
    "experts": 1_000_000,
    "active_experts": 1_000_000,
    "sequence_length": 2**31,
    "global_batch": 2**31,
    "data_parallel": 2**24,
    "tensor_parallel": 2**24,
    "pipeline_parallel": 2**24,
    "context_parallel": 2**24,
    "expert_parallel": 2**24,
}
# As people write them; jobs are matched by the name.
_PRECISIONS: Final[Mapping[str, str]] = {
    "bf16": "bfloat16",
    "fp16": "float16",
    "half": "float16",
    "fp32": "float32",
    "float": "float32",
    "fp8": "float8",
    "fp4": "float4",
    "fp64": "float64",
    "double": "float64",
}
_KNOWN_PRECISIONS: Final = ("bfloat16", "float16", "float32", "tf32", "float64", "float8", "float4", "int8")
_TOKENS: Final = "declared_tokens_per_step"
_PRICE: Final = "price_per_device_hour"
_MOST_TOKENS: Final = 10**12
_MOST_PRICE: Final = 1e6
_VARIABLES: Final[Mapping[str, str]] = {_TOKENS: "STEELYARD_TOKENS_PER_STEP", _PRICE: "STEELYARD_PRICE"}


@dataclass(slots=True)
class Facts:
    """One process's facts.

    Attributes:
        values: by the field of `Training`.
        origins: declared or inferred, by field.
        absent: why a field is not there.
        problems: declared values that make no sense, a sentence each.
        device: what the process says of its device: type (cpu, cuda, npu) and UUID.
    """

    values: dict[str, str | int | float | bool] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    device_type: str = ""
    device_uuid: str = ""

    def number(self, name: str) -> int | None:
        """A whole number; None where it isn't known."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def training(self) -> batch_pb2.Training:
        """The row, without time, process and job."""
        values: dict[str, object] = dict(self.values)
        return batch_pb2.Training(software=self.software, origins=self.origins, absent=self.absent, **values)  # type: ignore[arg-type]


def read_facts(said: Datagram) -> Facts:
    """Reads a facts datagram; never raises: what makes no sense is a problem, and the rest is taken."""
    facts = Facts(device_type=said.text("device_type"), device_uuid=said.text("device_uuid"))
    for name in _TEXTS:
        declared = said.text(f"declared.{name}")
        if declared and name == "precision":
            declared = _precision(facts, declared)
        text = declared or said.text(name)
        if text:
            _put(facts, name, text, "declared" if declared else "inferred")
    for name, most in (*_NUMBERS.items(), (_TOKENS, _MOST_TOKENS)):
        wanted = f"whole number from 1 to {most}"
        _take_number(facts, said, name, lambda text, most=most: _whole(text, most), wanted)  # type: ignore[misc]
    _take_number(facts, said, _PRICE, _price, f"price of a device-hour from 0 to {_MOST_PRICE:.0f}")
    if said.text("recompute") in ("0", "1"):
        _put(facts, "recompute", said.text("recompute") == "1", "inferred")
    for key, text in said.fields.items():
        kind, _, name = key.partition(".")
        if kind == "absent" and name in _NUMBERS and name not in facts.values:
            facts.absent[name] = text[:200]
        elif kind == "software" and name and len(facts.software) < 16:
            facts.software[name[:32]] = text[:64]
    return facts


def _precision(facts: Facts, text: str) -> str:
    """A declared precision as jobs are matched by it; empty, and a problem, where nobody knows it."""
    plain = text.lower().removeprefix("torch.")
    name = _PRECISIONS.get(plain, plain)
    if name in _KNOWN_PRECISIONS:
        return name
    known = ", ".join(_KNOWN_PRECISIONS)
    facts.problems.append(
        f"STEELYARD_PRECISION={text[:40]} is none of {known}; it is left out; mend it before the next start"
    )
    return ""


def _take_number(
    facts: Facts, said: Datagram, name: str, read: Callable[[str], int | float | None], wanted: str
) -> None:
    declared = said.text(f"declared.{name}")
    if declared:
        value = read(declared)
        if value is not None:
            _put(facts, name, value, "declared")
            return
        variable = _VARIABLES.get(name, f"STEELYARD_{name.upper()}")
        facts.problems.append(
            f"{variable}={declared[:40]} is no {wanted}; it is left out; mend it before the next start"
        )
    exact = read(said.text(f"exact.{name}"))
    inferred = exact if exact is not None else read(said.text(name))
    if inferred is not None:
        _put(facts, name, inferred, "declared" if exact is not None else "inferred")
        return
    logged = read(said.text(f"log.{name}"))
    if logged is not None:
        _put(facts, name, logged, "log")


def _put(facts: Facts, name: str, value: str | int | float | bool, origin: str) -> None:
    facts.values[name] = value
    facts.origins[name] = origin


def _whole(text: str, most: int) -> int | None:
    # As people write numbers: 1_000_000 and 1e9 too.
    plain = text.replace("_", "")
    try:
        value = float(plain) if "e" in plain.lower() else int(plain)
    except ValueError:
        return None
    return int(value) if 0 < value <= most and value == int(value) else None


def _price(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= _MOST_PRICE else None
