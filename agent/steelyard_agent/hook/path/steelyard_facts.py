"""What a training process knows of itself: what was declared in its environment, and its model's size and shape.

Read every half minute by the hook, never on a step's way. Names that begin with `declared.` are the user's, those with
`exact.` a framework's own arguments, those with `absent.` say why a figure isn't there; the others are inferred.
Standard library only until torch is there, valid for Python 3.8.
"""

import os
import sys

from steelyard_precision import name_of
from steelyard_roots import shape_of, size_of

_DECLARED = (
    "model", "parameters", "active_parameters", "sequence_length", "precision", "task", "data_parallel",
    "tensor_parallel", "currency",
)  # fmt: skip
_CONFIG = (
    ("layers", ("num_hidden_layers", "n_layer", "num_layers")),
    ("heads", ("num_attention_heads", "n_head", "num_heads")),
    ("hidden", ("hidden_size", "n_embd", "d_model")),
    ("head_size", ("head_dim",)),
    ("experts", ("num_local_experts", "num_experts", "n_routed_experts")),
    ("active_experts", ("num_experts_per_tok",)),
)
_MEGATRON = (
    ("global_batch", "global_batch_size"), ("sequence_length", "seq_length"), ("layers", "num_layers"),
    ("heads", "num_attention_heads"), ("hidden", "hidden_size"), ("data_parallel", "data_parallel_size"),
    ("tensor_parallel", "tensor_model_parallel_size"), ("pipeline_parallel", "pipeline_model_parallel_size"),
    ("context_parallel", "context_parallel_size"), ("expert_parallel", "expert_model_parallel_size"),
)  # fmt: skip
_CASTS = {"bf16": "bfloat16", "fp16": "float16", "fp8": "float8"}
_SOFTWARE = (
    "torch_npu", "transformers", "accelerate", "lightning", "deepspeed", "megatron.core", "mindspeed",
    "transformer_engine", "flash_attn", "triton",
)  # fmt: skip


def facts_of(root, optimizer, shape, precision=None):  # type: ignore[no-untyped-def]
    """All that is known, as (name, value) pairs; None for what is not.

    Args:
        root: the largest model that is trained; None where none was found.
        optimizer: that leads.
        shape: of the tensor of tokens; empty where none was seen.
        precision: that a layer of the model was called in; None where none was seen.
    """
    facts = _declared() + _megatron() + _software() + [("optimizer", type(optimizer).__name__)]
    if len(shape) == 2:
        facts.append(("sequence_length", shape[1]))
    return facts if root is None else facts + _model(root, precision)


def _declared():  # type: ignore[no-untyped-def]
    facts = [("declared." + name, os.environ.get("STEELYARD_" + name.upper()) or None) for name in _DECLARED]
    facts += [
        ("declared.declared_tokens_per_step", os.environ.get("STEELYARD_TOKENS_PER_STEP") or None),
        ("declared.price_per_device_hour", os.environ.get("STEELYARD_PRICE") or None),
        ("run", os.environ.get("STEELYARD_RUN") or None),
    ]
    return facts + [(name.lower(), os.environ.get(name) or None) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")]


def _megatron():  # type: ignore[no-untyped-def]
    """Megatron-LM's own arguments, where it is loaded: exact, so they count as declared."""
    arguments = getattr(sys.modules.get("megatron.training.global_vars"), "_GLOBAL_ARGS", None)
    if arguments is None:
        return []
    told = [("exact." + name, getattr(arguments, attribute, None)) for name, attribute in _MEGATRON]
    return told + [("recompute", int(getattr(arguments, "recompute_granularity", None) is not None))]


def _software():  # type: ignore[no-untyped-def]
    """Versions of what a training's speed depends on, where it is loaded; nothing is imported for it."""
    versions = ((name, vars(sys.modules[name]).get("__version__")) for name in _SOFTWARE if name in sys.modules)
    return [("software." + name, version) for name, version in versions if isinstance(version, str)]


def _model(root, precision):  # type: ignore[no-untyped-def]
    import torch

    inner = _inner(root)
    config = getattr(inner, "config", None)
    facts = [("architecture", type(inner).__name__), ("software.torch", torch.__version__)]
    for name, keys in _CONFIG:
        values = (getattr(config, key, None) for key in keys)
        facts.append((name, next((value for value in values if isinstance(value, int)), None)))
    if getattr(inner, "is_gradient_checkpointing", None) is not None:
        facts.append(("recompute", int(bool(inner.is_gradient_checkpointing))))
    return facts + _parameters(root) + _precision(root, precision) + _parallel(root) + _device(root)


def _inner(root):  # type: ignore[no-untyped-def]
    """The model inside the wrappers of torch (DDP, FSDP1, torch.compile) and DeepSpeed."""
    for _ in range(4):
        wrapped = getattr(root, "_orig_mod", None) or (
            getattr(root, "module", None) if type(root).__name__.endswith("Parallel") or _is_engine(root) else None
        )
        if wrapped is None:
            return root
        root = wrapped
    return root


def _is_engine(module):  # type: ignore[no-untyped-def]
    return any(kind.__name__ == "DeepSpeedEngine" for kind in type(module).__mro__)


def _groups(root):  # type: ignore[no-untyped-def]
    """The sizes of DeepSpeed's groups; empty without its engine."""
    engine = next((module for module in root.modules() if _is_engine(module)), None)
    sizes = {} if engine is None else vars(engine)
    names = (
        ("tensor_parallel", "mp_world_size"), ("data_parallel", "dp_world_size"),
        ("context_parallel", "sequence_parallel_size"),
    )  # fmt: skip
    return {name: sizes[attribute] for name, attribute in names if isinstance(sizes.get(attribute), int)}


def _is_fsdp1(root):  # type: ignore[no-untyped-def]
    return any(type(module).__name__ == "FullyShardedDataParallel" for module in root.modules())


def _parameters(root):  # type: ignore[no-untyped-def]
    import torch

    reason = ""
    if _is_fsdp1(root):
        reason = "the first version of FSDP shows a rank its own shard only"
    elif _groups(root).get("tensor_parallel", 1) > 1:
        reason = "DeepSpeed's model-parallel ranks have a shard each"
    if reason:
        return [("absent.parameters", reason), ("absent.matmul_parameters", reason)]
    embeddings = {id(m.weight) for m in root.modules() if isinstance(m, torch.nn.Embedding)}
    heads = {id(m.weight) for m in root.modules() if isinstance(m, torch.nn.Linear)}
    total = trainable = matmul = 0
    for parameter in root.parameters():
        size = size_of(parameter)
        total += size
        trainable += size if parameter.requires_grad else 0
        # An embedding is a lookup; tied to the output head it is a matmul too.
        if len(shape_of(parameter)) >= 2 and (id(parameter) not in embeddings or id(parameter) in heads):
            matmul += size
    return [("parameters", total), ("trainable_parameters", trainable), ("matmul_parameters", matmul)]


def _precision(root, seen):  # type: ignore[no-untyped-def]
    """That a layer was called in; else what Accelerate casts to, which a compiled model hides; else the parameters'."""
    state = getattr(sys.modules.get("accelerate.state"), "AcceleratorState", None)
    cast = _CASTS.get(getattr(state, "_shared_state", {}).get("_mixed_precision"))
    if cast is not None and seen in (None, "float32"):
        return [("precision", cast)]
    parameter = next((p for p in root.parameters() if p.is_floating_point()), None)
    return [("precision", seen or (None if parameter is None else name_of(parameter.dtype)))]


def _parallel(root):  # type: ignore[no-untyped-def]
    """Who has the same tokens: DDP and FSDP ranks have their own, tensor-parallel ones share them."""
    groups = _groups(root)
    if groups:
        return list(groups.items())
    wrappers = {type(module).__name__ for module in root.modules()}
    sharded = [p for p in root.parameters() if hasattr(p, "device_mesh")]
    sizes = {}
    for parameter in sharded:
        mesh = parameter.device_mesh
        sizes.update(zip(mesh.mesh_dim_names or (), mesh.shape))
    if "tp" in sizes:
        return [("tensor_parallel", sizes["tp"]), ("data_parallel", _data_parallel(sizes["tp"]))]
    is_data_parallel = wrappers & {"DistributedDataParallel", "FullyShardedDataParallel"} or any(
        type(module).__name__.startswith("FSDP") for module in root.modules()
    )
    if sharded and not is_data_parallel:
        reason = "tensors are sharded over a mesh that doesn't say which ranks share their tokens"
        return [("absent.tensor_parallel", reason), ("absent.data_parallel", reason)]
    return [("data_parallel", _data_parallel(1))] if is_data_parallel else []


def _data_parallel(others):  # type: ignore[no-untyped-def]
    import torch

    if "megatron.training.global_vars" in sys.modules or not torch.distributed.is_initialized():
        return None
    return torch.distributed.get_world_size() // others


def _device(root):  # type: ignore[no-untyped-def]
    """The device, as its driver knows it."""
    import torch

    device = next((parameter.device for parameter in root.parameters()), None)
    if device is None:
        return []
    uuid = None
    if device.type == "cuda":
        uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return [("device_type", device.type), ("device_uuid", uuid)]
