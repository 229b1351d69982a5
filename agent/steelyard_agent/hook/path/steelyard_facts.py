"""What a training process knows of itself: what was declared in its environment, and its model's size and shape.

Read every half minute by the hook, never on a step's way. Standard library only, valid for Python 3.8.
"""

import os
import sys

_DECLARED = (
    ("declared_tokens_per_step", "STEELYARD_TOKENS_PER_STEP"),
    ("model", "STEELYARD_MODEL"),
    ("declared_parameters", "STEELYARD_PARAMETERS"),
    ("declared_sequence_length", "STEELYARD_SEQUENCE_LENGTH"),
    ("precision", "STEELYARD_PRECISION"),
    ("task", "STEELYARD_TASK"),
    ("data_parallel", "STEELYARD_DATA_PARALLEL"),
    ("job", "STEELYARD_JOB"),
    ("run", "STEELYARD_RUN"),
    ("rank", "RANK"),
    ("local_rank", "LOCAL_RANK"),
    ("world_size", "WORLD_SIZE"),
)
_CONFIG = (
    ("layers", ("num_hidden_layers", "n_layer", "num_layers")),
    ("heads", ("num_attention_heads", "n_head", "num_heads")),
    ("hidden", ("hidden_size", "n_embd", "d_model")),
    ("head_size", ("head_dim",)),
    ("experts", ("num_local_experts", "num_experts", "n_routed_experts")),
    ("active_experts", ("num_experts_per_tok",)),
)


def declared_facts():  # type: ignore[no-untyped-def]
    """What the environment says, as (name, value) pairs."""
    return [(name, os.environ.get(variable) or None) for name, variable in _DECLARED]


def model_facts(root):  # type: ignore[no-untyped-def]
    """A model's parameters, shape and precision, as (name, value) pairs; None where this rank can't know."""
    facts = [("architecture", type(_inner(root)).__name__)]
    config = getattr(_inner(root), "config", None)
    for name, keys in _CONFIG:
        value = next((getattr(config, key) for key in keys if isinstance(getattr(config, key, None), int)), None)
        facts.append((name, value))
    return facts + _parameters(root) + _precision(root) + _megatron()


def _inner(root):  # type: ignore[no-untyped-def]
    """The model inside the wrappers of torch (DDP, torch.compile)."""
    for _ in range(4):
        wrapped = getattr(root, "_orig_mod", None) or (
            getattr(root, "module", None) if type(root).__name__.endswith(("Parallel", "Module")) else None
        )
        if wrapped is None:
            return root
        root = wrapped
    return root


def _parameters(root):  # type: ignore[no-untyped-def]
    import torch

    if any(type(m).__name__ == "FullyShardedDataParallel" for m in root.modules()):
        # FSDP's first version shows a rank its own shard only.
        return [("parameters_absent", "FSDP1 shows shards")]
    embeddings = {id(m.weight) for m in root.modules() if isinstance(m, torch.nn.Embedding)}
    heads = {id(m.weight) for m in root.modules() if isinstance(m, torch.nn.Linear)}
    total = trainable = matmul = 0
    for parameter in root.parameters():
        total += parameter.numel()
        trainable += parameter.numel() if parameter.requires_grad else 0
        # An embedding is a lookup; tied to the output head it is a matmul too.
        if parameter.dim() >= 2 and (id(parameter) not in embeddings or id(parameter) in heads):
            matmul += parameter.numel()
    return [("parameters", total), ("trainable_parameters", trainable), ("matmul_parameters", matmul)]


def _precision(root):  # type: ignore[no-untyped-def]
    if os.environ.get("STEELYARD_PRECISION"):
        return []
    import torch

    parameter = next(root.parameters(), None)
    if parameter is None:
        return []
    kind = parameter.device.type
    try:
        if torch.is_autocast_enabled(kind):
            return [("precision", str(torch.get_autocast_dtype(kind)).replace("torch.", ""))]
    except (RuntimeError, TypeError):
        pass
    return [("precision", str(parameter.dtype).replace("torch.", ""))]


def _megatron():  # type: ignore[no-untyped-def]
    """Megatron-LM's own arguments, where it is loaded: exact, so they count as declared."""
    module = sys.modules.get("megatron.training.global_vars")
    arguments = getattr(module, "_GLOBAL_ARGS", None)
    if arguments is None:
        return []
    names = (
        ("global_batch", "global_batch_size"), ("sequence_length", "seq_length"), ("layers", "num_layers"),
        ("heads", "num_attention_heads"), ("hidden", "hidden_size"), ("data_parallel", "data_parallel_size"),
        ("tensor_parallel", "tensor_model_parallel_size"), ("pipeline_parallel", "pipeline_model_parallel_size"),
        ("context_parallel", "context_parallel_size"), ("expert_parallel", "expert_model_parallel_size"),
    )  # fmt: skip
    return [(name, getattr(arguments, attribute, None)) for name, attribute in names]
