"""The precision that a model computes in, which is known inside of its forward only.

Autocast and FSDP keep the parameters in float32 and cast them on the way. Standard library only until torch is there,
valid for Python 3.8.
"""

import sys


def compiling_test():  # type: ignore[no-untyped-def]
    """Torch's own test of whether a call is being traced, which its compiler knows by what it is."""
    import torch

    # Before torch 2.3 it stood elsewhere.
    return getattr(torch.compiler, "is_compiling", None) or torch._utils.is_compiling


def look_once(root, tell):  # type: ignore[no-untyped-def]
    """Looks at the next training call of a model: first at its own, then at that of a layer in it, which knows better.

    Args:
        root: the model.
        tell: takes the precision's name.
    """
    _look(root, tell)
    layer = next((module for module in root.modules() if _is_layer(module)), root)
    if layer is not root:
        _look(layer, tell)


def _look(module, tell):  # type: ignore[no-untyped-def]
    import torch

    is_compiling = compiling_test()
    handles = []

    def look(module, args):  # type: ignore[no-untyped-def]
        if is_compiling() or not torch.is_grad_enabled():
            return
        try:
            while handles:
                handles.pop().remove()
            precision = _precision(module)
        except Exception:
            # A model of a kind that can't be asked: its precision stays unknown.
            return
        if precision is not None:
            tell(precision)

    handles.append(module.register_forward_pre_hook(look))


def _is_layer(module):  # type: ignore[no-untyped-def]
    """Whether it multiplies by a matrix of its own; a lookup in one is no product."""
    import torch

    weight = vars(module).get("_parameters", {}).get("weight")
    if weight is None or isinstance(module, (torch.nn.Embedding, torch.jit.ScriptModule)):
        return False
    # Quantized weights are kept as integers, and computed with as something else.
    return bool(weight.dim() >= 2 and weight.is_floating_point())


def _precision(module):  # type: ignore[no-untyped-def]

    if type(module).__name__ == "Float8Linear" or _is_float8():
        return "float8"
    parameter = next((p for p in module.parameters() if p.is_floating_point()), None)
    if parameter is None:
        return None
    cast = _cast(parameter.device.type)
    return name_of(parameter.dtype if cast is None else cast)


def _cast(kind):  # type: ignore[no-untyped-def]
    """What autocast on this kind of device casts to; None where it is off."""
    import torch

    try:
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    except (TypeError, AttributeError):
        # Before torch 2.4 each kind had calls of its own.
        own = torch if kind == "cuda" else getattr(torch, kind)
        told = torch.get_autocast_gpu_dtype if kind == "cuda" else own.get_autocast_dtype
        return told() if own.is_autocast_enabled() else None


def _is_float8():
    # type: () -> bool
    """Whether the call is within Transformer Engine's autocast."""
    state = getattr(sys.modules.get("transformer_engine.pytorch.fp8"), "FP8GlobalStateManager", None)
    return state is not None and bool(state.is_fp8_enabled())


def name_of(dtype):  # type: ignore[no-untyped-def]
    # type: (object) -> str
    """As jobs are matched by it: bfloat16, float32."""
    return str(dtype).replace("torch.", "")
