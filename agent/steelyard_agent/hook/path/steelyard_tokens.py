"""Finds the tokens among the arguments of a model's forward, and counts them by why it was called.

Standard library only until torch is there, valid for Python 3.8.
"""

# The names that models give to their tokens, and to integer tensors that are none.
_TOKEN_NAMES = ("input_ids", "tokens", "token_ids", "input_tokens", "src_tokens", "idx", "decoder_input_ids", "ids")
_NO_TOKENS = frozenset(
    ("position_ids", "positions", "pos", "labels", "label", "target", "targets", "attention_mask", "mask",
     "segment_ids", "token_type_ids", "cache_position", "cu_seqlens", "cu_seqlens_q", "cu_seqlens_k", "lengths",
     "indices")
)  # fmt: skip


def plus(a, b):
    # type: (int | None, int | None) -> int | None
    """A sum in which absent stays absent until something is there."""
    if a is None:
        return b
    return a if b is None else a + b


def both(a, b):
    # type: (int | None, int | None) -> int | None
    """A sum that is absent where a part of it is."""
    return None if a is None or b is None else a + b


class Tokens:
    """What went into one root since the last step, by why it was called."""

    __slots__ = ("calls", "shape", "sums")

    def __init__(self):
        # type: () -> None
        self.calls = {}  # type: dict[str, int]
        self.sums = {}  # type: dict[str, list[int | None]]
        self.shape = {}  # type: dict[str, tuple[int, ...]]

    def add(self, why, found):  # type: ignore[no-untyped-def]
        self.calls[why] = self.calls.get(why, 0) + 1
        if found is None:
            return
        shape, counts = found
        self.shape[why] = shape
        before = self.sums.get(why)
        # A kind that one call of several lacks isn't known for the step.
        self.sums[why] = list(counts) if before is None else [both(a, b) for a, b in zip(before, counts)]

    def counted(self):
        # type: () -> str | None
        """Which calls were the training's: in training mode, else with gradients, else recomputed in backward."""
        for why in ("train", "eval_grad", "backward"):
            if why in self.calls:
                return why
        return None


def argument_names(module):
    # type: (object) -> tuple[str, ...]
    """The names of a forward's positional arguments."""
    code = getattr(getattr(type(module), "forward", None), "__code__", None)
    return tuple(code.co_varnames[1 : code.co_argcount]) if code is not None else ()


def find_tokens(args, kwargs, names, has_embedding):  # type: ignore[no-untyped-def]
    """The tensor of tokens among a forward's arguments: its shape, and its tokens by kind.

    Returns:
        The shape, and (processed tokens, those that are no padding, those with a loss, samples); None for no tensor.
    """
    named, unnamed = _sorted_arguments(args, kwargs, names)
    for name in _TOKEN_NAMES:
        if _is_whole(named.get(name), 1):
            return _counts(named, named[name])
    # A segmentation map is an integer tensor too; only a model with an embedding takes tokens.
    if has_embedding:
        for value in [v for k, v in named.items() if k not in _NO_TOKENS] + unnamed:
            if _is_whole(value, 2):
                return _counts(named, value)
    return None


def _sorted_arguments(args, kwargs, names):  # type: ignore[no-untyped-def]
    """The arguments of a forward by name where they have one; mappings and sequences are looked into once."""
    named = {}  # type: ignore[var-annotated]
    unnamed = []  # type: ignore[var-annotated]
    pairs = [(names[i] if i < len(names) else None, value) for i, value in enumerate(args)] + list(kwargs.items())
    for name, value in pairs:
        if hasattr(value, "keys"):
            named.update((key, value[key]) for key in value.keys())
        elif isinstance(value, (list, tuple)):
            unnamed.extend(value)
        elif name is None:
            unnamed.append(value)
        else:
            named.setdefault(name, value)
    return named, unnamed


def _is_whole(value, dimensions):  # type: ignore[no-untyped-def]
    import torch

    return isinstance(value, torch.Tensor) and value.dtype in (torch.int64, torch.int32) and value.dim() >= dimensions


def _counts(named, tokens):  # type: ignore[no-untyped-def]
    samples = tokens.shape[0] if tokens.dim() >= 2 else None
    return tuple(tokens.shape), (tokens.numel(), _unpadded(named, tokens), _with_loss(named), samples)


def _unpadded(named, tokens):  # type: ignore[no-untyped-def]
    mask = named.get("attention_mask")
    # A mask on a device would have to be waited for.
    if mask is None or getattr(mask, "device", None) is None or mask.device.type != "cpu":
        return None
    return int(mask.sum()) if tuple(mask.shape) == tuple(tokens.shape) else None


def _with_loss(named):  # type: ignore[no-untyped-def]
    labels = named.get("labels")
    if labels is None or getattr(labels, "device", None) is None or labels.device.type != "cpu":
        return None
    return int((labels != -100).sum())
