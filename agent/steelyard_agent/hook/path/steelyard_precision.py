"""The precision that a model computes in, which is known inside of its forward only.

Autocast and FSDP keep the parameters in float32 and cast them on the way. Standard library only until torch is there,
valid for Python 3.8.
"""

import sys


def untraced(function):  # type: ignore[no-untyped-def]
    """Calls a function, unless torch is tracing the call, which its compiler knows by what its own test is."""
    import torch

    is_compiling = getattr(torch.compiler, "is_compiling", None)
    if is_compiling is None:
        # Before torch 2.3 it knew another, and traced the hooks of a module that was compiled in place by themselves.
        # Torch has imported both by the time that there is an optimizer.
        import torch._dynamo

        is_compiling = torch._dynamo.external_utils.is_compiling
        function = torch._dynamo.disable(function)

    def call(*args):  # type: ignore[no-untyped-def]
        if not is_compiling():
            function(*args)

    return call


def look_once(root, tell):  # type: ignore[no-untyped-def]
    """Looks at the next training call of a model: first at its own, then at that of a layer in it, which knows better.

    Args:
        root: the model.
        tell: takes the precision's name.
    """
    _look(root, tell)
    layer = _first_layer(root)
    if layer is not None and layer is not root:
        _look(layer, tell)


def _first_layer(module):  # type: ignore[no-untyped-def]
    """Not within a compiled part, whose calls aren't seen; None for none."""
    if _is_compiled(module):
        return None
    if _is_layer(module):
        return module
    return next(filter(None, map(_first_layer, module.children())), None)


def _is_compiled(module):  # type: ignore[no-untyped-def]
    """Whether it was compiled as a whole, in place or by a wrapper."""
    return getattr(module, "_compiled_call_impl", None) is not None or type(module).__name__ == "OptimizedModule"


def _look(module, tell):  # type: ignore[no-untyped-def]
    import torch

    handles = []

    def look(module, args):  # type: ignore[no-untyped-def]
        if not torch.is_grad_enabled():
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

    handles.append(module.register_forward_pre_hook(untraced(look)))


def _is_layer(module):  # type: ignore[no-untyped-def]
    """Whether it multiplies by a matrix of its own; a lookup in one is no product."""
    import torch

    weight = vars(module).get("_parameters", {}).get("weight")
    if weight is None or isinstance(module, (torch.nn.Embedding, torch.jit.ScriptModule)):
        return False
    # Quantized weights are kept as integers, and computed with as something else.
    return bool(weight.dim() >= 2 and weight.is_floating_point())


def _precision(module):  # type: ignore[no-untyped-def]
    quantized = "float8" if type(module).__name__ == "Float8Linear" else _transformer_engines()
    if quantized is not None:
        return quantized
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
        if kind == "cpu":
            return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
        own = torch if kind == "cuda" else getattr(torch, kind)
        told = torch.get_autocast_gpu_dtype if kind == "cuda" else own.get_autocast_dtype
        return told() if own.is_autocast_enabled() else None


def _transformer_engines():  # type: ignore[no-untyped-def]
    """What Transformer Engine's autocast, within which the call may be, computes in; None outside of one."""
    # Before its version 2.9 it stood in fp8.
    for name in ("transformer_engine.pytorch.quantization", "transformer_engine.pytorch.fp8"):
        state = getattr(sys.modules.get(name), "FP8GlobalStateManager", None)
        if state is not None:
            if not state.is_fp8_enabled():
                return None
            is_four_bits = getattr(state.get_fp8_recipe(), "nvfp4", None)
            return "float4" if is_four_bits is not None and is_four_bits() else "float8"
    return None


def name_of(dtype):  # type: ignore[no-untyped-def]
    # type: (object) -> str
    """As jobs are matched by it: bfloat16, float32."""
    return str(dtype).replace("torch.", "")
