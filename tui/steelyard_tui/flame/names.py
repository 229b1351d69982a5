"""Frames' names: short enough for a cell, without numbers that only count layers, and which class of operators."""

import re
from functools import lru_cache
from typing import Final, Literal

# Numbers that tell one layer, step or object from the next and nothing else.
_COUNTED: Final = re.compile(r"(?<=\[)\d+(?=\])|(?<=#)\d+\b|(?<=[._])\d+(?=\.|$)|\b0x[0-9a-f]+\b")
_PYTHON: Final = re.compile(r"^(?:.*/)?([^/()]+\.pyx?)\((\d+)\): (.+)$")
_SAMPLED: Final = re.compile(r"^(\S+) \((?:.*/)?([^/()]+\.pyx?)(?::(\d+))?\)$")
_BUILT_IN: Final = re.compile(r"^<built-in (?:method|function) (\S+?)(?: of .*)?>$")
_MODULE: Final = "nn.Module: "
_CALLED: Final = re.compile(r"^[\w:]+\(.*\)$")
# What tells kernels of one template apart, best first.
_TOLD_BY: Final = tuple(
    map(
        re.compile,
        (r"\b\w+_kernel_(?:impl|cuda)\w*", r"\b\w*Functor_\w+", r"\b\w+(?:Ops|_functor|Functor)\b", r"\bcutlass_\w+"),
    )
)
_ANY_KERNEL: Final = frozenset({"kernel", "kernel2", "device_kernel"})

# Collectives share one colour; what no pattern knows, bookkeeping and Python are grey.
_FAMILY_OF: Final = {
    "matmul": "matmul",
    "convolution": "matmul",
    "attention": "attention",
    "norm": "vector",
    "softmax and loss": "vector",
    "embedding": "vector",
    "elementwise": "vector",
    "reduction": "vector",
    "indexing": "vector",
    "random": "vector",
    "optimizer": "optimizer",
    "memory movement": "memory",
    "format conversion": "memory",
    "data wait": "wait",
    "python": "python",
}
PYTHON: Final = "python"


@lru_cache(maxsize=65_536)
def folded(name: str) -> str:
    """The name with `*` for numbers that only count."""
    return _COUNTED.sub("*", name)


@lru_cache(maxsize=65_536)
def short(name: str) -> str:
    """What a cell says: the function before its file, since cells are cut at their end."""
    if match := _PYTHON.match(name):
        file, line, function = match.groups()
        return f"{short(function)} {file}:{line}"
    if match := _SAMPLED.match(name):
        function, file, line = match.groups()
        return f"{function} {file}:{line}" if line else f"{function} {file}"
    if match := _BUILT_IN.match(name):
        return match[1]
    if name.startswith(_MODULE):
        return name.removeprefix(_MODULE)
    return _kernel(name) if name.startswith("void ") or _CALLED.match(name) or "<" in name[1:] else name


def _kernel(name: str) -> str:
    """A kernel's own name, and the functor that tells it from others of the same template."""
    plain = name.removeprefix("void ").replace("(anonymous namespace)::", "")
    outer, _, arguments = plain.partition("<")
    own = outer.partition("(")[0].rpartition("::")[2]
    told = next((match[0] for pattern in _TOLD_BY if (match := pattern.search(arguments))), "")
    if own.lower() in _ANY_KERNEL and told:
        return told
    return f"{own}<{told}>" if told and own else own or name


def is_python(name: str) -> bool:
    """Whether a frame is Python's, not an operator."""
    return bool(_PYTHON.match(name) or _SAMPLED.match(name) or _BUILT_IN.match(name)) or name.startswith(
        (_MODULE, "<", "ProfilerStep#")
    )


@lru_cache(maxsize=65_536)
def class_of(name: str) -> str:
    """The class of operators of a frame, `python`, or `unmatched`."""
    from steelyard_traces.classify import UNMATCHED, load_classifier

    classifier = load_classifier()
    if any(name == one.name for one in classifier.classes):
        return name
    if is_python(name):
        return PYTHON
    spaces: tuple[Literal["host", "cann", "kernel"], ...] = ("host", "cann", "kernel")
    return next((found for space in spaces if (found := classifier.class_of(name, space)) != UNMATCHED), UNMATCHED)


@lru_cache(maxsize=1024)
def family_of(class_name: str) -> str:
    """Which colour a class has: a tone `op-FAMILY`."""
    from steelyard_traces.classify import load_classifier

    if load_classifier().is_communication(class_name):
        return "collective"
    return _FAMILY_OF.get(class_name, "other")
