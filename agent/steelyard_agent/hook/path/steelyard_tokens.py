"""Finds the tokens among the arguments of a model's forward, and counts them by why it was called.

Standard library only until torch is there, valid for Python 3.8.
"""

import torch

# The names that models give to their tokens, and to integer tensors that are none.
_TOKEN_NAMES = ("input_ids", "tokens", "token_ids", "input_tokens", "src_tokens", "idx", "decoder_input_ids", "ids")
_NO_TOKENS = frozenset(
    ("position_ids", "positions", "pos", "labels", "label", "target", "targets", "attention_mask", "mask",
     "segment_ids", "token_type_ids", "cache_position", "cu_seqlens", "cu_seqlens_q", "cu_seqlens_k", "lengths",
     "indices")
)  # fmt: skip
_WHOLE = (torch.int64, torch.int32)
# A root that is called in more ways than these is looked through each time.
_MOST_LOOKS = 64


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


def added(before, found):  # type: ignore[no-untyped-def]
    """Shape and counts of several calls; a kind that one of them lacks isn't known for the step."""
    return found[0], tuple([both(a, b) for a, b in zip(before[1], found[1])])


def counted(calls):  # type: ignore[no-untyped-def]
    """What a training's own calls found: those in training mode, else with gradients, else recomputed in backward."""
    for why in ("train", "eval_grad", "backward"):
        if why in calls:
            return calls[why]
    return None


def argument_names(module):
    # type: (object) -> tuple[str, ...]
    """The names of a forward's positional arguments."""
    code = getattr(getattr(type(module), "forward", None), "__code__", None)
    return tuple(code.co_varnames[1 : code.co_argcount]) if code is not None else ()


class Finder:
    """Finds the tensor of tokens among the arguments of one root's forward; remembers where it was."""

    __slots__ = ("_names", "_places")

    def __init__(self, names):
        # type: (tuple[str, ...]) -> None
        self._names = names
        # By how a call looks: its count of arguments and the names of the others.
        self._places = {}  # type: dict[tuple[object, ...], tuple[int | str, int, bool, bool] | None]

    def find(self, args, kwargs, has_embedding):  # type: ignore[no-untyped-def]
        """The tensor's shape, and its tokens by kind.

        Returns:
            The shape, and (processed tokens, those that are no padding, those with a loss, samples); None for none.
        """
        look = (len(args), has_embedding) + tuple(kwargs)
        place = self._places.get(look)
        if place is not None:
            where, dimensions, is_named, is_alone = place
            tokens = kwargs[where] if is_named else args[where]
            if is_alone:
                # The usual call: no mask and no labels to look at.
                if isinstance(tokens, torch.Tensor) and tokens.dtype in _WHOLE:
                    shape = tokens.shape
                    if len(shape) >= dimensions:
                        return shape, (tokens.numel(), None, None, shape[0] if len(shape) >= 2 else None)
            elif _is_whole(tokens, dimensions):
                is_simple = len(args) == (0 if is_named else 1)
                return _counts(kwargs if is_simple else _sorted_arguments(args, kwargs, self._names)[0], tokens)
        elif len(self._places) < _MOST_LOOKS:
            self._places[look] = _place(args, kwargs, self._names, has_embedding)
        return _find_tokens(args, kwargs, self._names, has_embedding)


def _place(args, kwargs, names, has_embedding):  # type: ignore[no-untyped-def]
    """The argument that goes before all others of a call that looks like this one.

    Returns:
        Its place, the dimensions that it needs, whether the place is a name, and whether it is the only argument.
    """
    if any(hasattr(value, "keys") for value in args + tuple(kwargs.values())):
        return None
    places = dict(zip(names, range(len(args))))  # type: dict[object, int | str]
    places.update((name, name) for name in kwargs)
    for name in _TOKEN_NAMES:
        if name in places:
            return _found(places[name], 1, args, kwargs)
    unnamed = range(len(names), len(args))
    candidates = [place for name, place in places.items() if name not in _NO_TOKENS] + list(unnamed)
    return _found(candidates[0], 2, args, kwargs) if candidates and has_embedding else None


def _found(place, dimensions, args, kwargs):  # type: ignore[no-untyped-def]
    return place, dimensions, isinstance(place, str), len(args) + len(kwargs) == 1


def _find_tokens(args, kwargs, names, has_embedding):  # type: ignore[no-untyped-def]
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
    return isinstance(value, torch.Tensor) and value.dtype in _WHOLE and value.dim() >= dimensions


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
