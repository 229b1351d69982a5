"""Knows the steps and tokens of an unmodified torch training, from inside its process.

A post hook on every optimizer says when a step ends, a pre hook on the model's root says what went in; one datagram a
step carries totals since the start, so a lost one costs resolution and no tokens. Everything runs in `_guarded`: it
never raises, prints or blocks in the trainer, and after an error of its own it turns itself off, saying why once.
Standard library only, valid for Python 3.8. What is counted, and what is not, is in docs/training.md.
"""

import os
import sys
import time

# The names that models give to their tokens, and to integer tensors that are none.
_TOKEN_NAMES = ("input_ids", "tokens", "token_ids", "input_tokens", "src_tokens", "idx", "decoder_input_ids", "ids")
_NO_TOKENS = frozenset(
    ("position_ids", "positions", "pos", "labels", "label", "target", "targets", "attention_mask", "mask",
     "segment_ids", "token_type_ids", "cache_position", "cu_seqlens", "cu_seqlens_q", "cu_seqlens_k", "lengths",
     "indices")
)  # fmt: skip
_MAX_SCANS = 6
_SILENT_STEPS = 20
_TRUST_STEPS, _TRUST_S = 8, 10.0
_PATIENCE_STEPS = 3
_MAX_CHILDREN = 64
_FACTS_EVERY_S = 30.0


def arm():
    # type: () -> None
    """Installs the hook now if torch's optimizers are loaded, else when they are imported."""
    if os.environ.get("STEELYARD_HOOK", "1") in ("0", "off"):
        return
    if "torch.optim.optimizer" in sys.modules:
        _install()
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Waits for torch.optim.optimizer, lets the others find and load it, then installs."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        """See importlib.abc.MetaPathFinder."""
        if name != "torch.optim.optimizer":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module):  # type: ignore[no-untyped-def]
                load(module)
                _install()

            try:
                spec.loader.exec_module = exec_module
            except AttributeError:
                pass
        return spec


def _install():
    # type: () -> None
    try:
        from torch._compile import _disable_dynamo
        from torch.optim.optimizer import register_optimizer_step_post_hook

        watcher = Watcher(Sender())

        def after_step(optimizer, args, kwargs):  # type: ignore[no-untyped-def]
            watcher.on_step(optimizer)

        # Dynamo would trace a hook, or fold its guards away; it is told to leave this one alone. It marks the function,
        # which it can't do to a method.
        register_optimizer_step_post_hook(_disable_dynamo(after_step))
    except Exception:
        pass


class Sender:
    """Datagrams to the local agent; dropped when nobody listens."""

    def __init__(self):
        # type: () -> None
        import socket

        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._addresses = _addresses()
        self._number = 0

    def send(self, kind, fields):  # type: ignore[no-untyped-def]
        """One datagram: a line `steelyard 1 KIND`, then `name=value` lines; values hold no line breaks."""
        self._number += 1
        lines = ["steelyard 1 " + kind, "pid=%d" % os.getpid(), "number=%d" % self._number]
        lines += ["%s=%s" % (name, str(value).replace("\n", " ")) for name, value in fields if value is not None]
        payload = "\n".join(lines).encode("utf-8", "replace")
        for address in self._addresses:
            try:
                self._socket.sendto(payload, address)
                return
            except OSError:
                continue


def _addresses():
    # type: () -> list[str]
    named = os.environ.get("STEELYARD_SOCKET")
    return [named] if named else ["/run/steelyard/agent.sock", "\0steelyard-agent"]


class _Tokens:
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
        self.sums[why] = list(counts) if before is None else [_plus(a, b) for a, b in zip(before, counts)]

    def counted(self):
        # type: () -> str | None
        """Which calls were the training's: in training mode, else with gradients, else recomputed in backward."""
        for why in ("train", "eval_grad", "backward"):
            if why in self.calls:
                return why
        return None


class Watcher:
    """The state of one process's training."""

    def __init__(self, sender):
        # type: (Sender) -> None
        import weakref

        self._weakref = weakref
        self._sender = sender
        self._is_off = False
        self._pid = os.getpid()
        self._sizes = weakref.WeakKeyDictionary()  # type: ignore[var-annotated]
        self._lead = None  # type: ignore[var-annotated]
        self._since_lead = 0
        self._scans = 0
        self._roots = {}  # type: ignore[var-annotated]
        self._known = set()  # type: set[int]
        self._has_embedding = False
        self._since_tokens = 0
        self._has_descended = False
        self._tokens = {}  # type: dict[int, _Tokens]
        self._marked = ""
        self._any_forward = False
        self._ever_forward = False
        self._calls = 0
        self._first_s = 0.0
        self._facts_s = 0.0
        self._forward_s = 0.0
        self._reset()

    def _reset(self):
        # type: () -> None
        """Forgets what was counted: another optimizer leads, so it was counted by the wrong one."""
        self._end_s = 0.0
        self._steps = self._marked_steps = 0
        self._seconds = self._marked_seconds = self._gap_seconds = 0.0
        self._totals = [None, None, None]  # type: list[int | None]
        self._marked_tokens = None  # type: int | None
        self._shape = ()  # type: tuple[int, ...]
        self._evals = 0

    # -- what torch calls ------------------------------------------------------------------------------------------

    def on_step(self, optimizer):  # type: ignore[no-untyped-def]
        """After an optimizer's step."""
        if self._is_off:
            return
        try:
            self._step(optimizer, time.monotonic())
        except Exception as error:
            self._turn_off(error)

    def on_forward(self, module, args, kwargs):  # type: ignore[no-untyped-def]
        """Before a root's forward."""
        if self._is_off:
            return
        try:
            self._forward(module, args, kwargs)
        except Exception as error:
            self._turn_off(error)

    def _turn_off(self, error):
        # type: (Exception) -> None
        self._is_off = True
        try:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            line = where.tb_lineno if where is not None else 0
            self._sender.send("off", [("reason", "%s: %s (line %d)" % (type(error).__name__, error, line))])
        except Exception:
            pass

    # -- steps -----------------------------------------------------------------------------------------------------

    def _step(self, optimizer, now_s):  # type: ignore[no-untyped-def]
        if os.getpid() != self._pid:
            # A forked child trains on its own.
            self._pid = os.getpid()
            self._reset()
        self._calls += 1
        self._first_s = self._first_s or now_s
        if optimizer not in self._sizes:
            self._meet(optimizer)
        if not self._leads(optimizer):
            return
        if self._roots and not self._any_forward and (self._ever_forward or self._calls <= _PATIENCE_STEPS):
            # Two inner steps of one wrapper: the data has not changed since. Before the first forward was seen that
            # can't be told from a root that is never called, so the first steps only set the clock.
            if not (self._ever_forward and self._end_s):
                self._end_s = now_s
            return
        self._count(now_s)
        if self._totals[0] is None:
            self._since_tokens += 1
            if self._since_tokens >= _PATIENCE_STEPS and not self._has_descended:
                self._descend()
        if self._calls >= _TRUST_STEPS or now_s - self._first_s > _TRUST_S:
            self._report(now_s)

    def _leads(self, optimizer):  # type: ignore[no-untyped-def]
        lead = self._lead() if self._lead is not None else None
        if lead is optimizer:
            self._since_lead = 0
            return True
        self._since_lead += 1
        is_silent = self._since_lead > _SILENT_STEPS
        if lead is None or is_silent or self._sizes[optimizer] > self._sizes.get(lead, 0):
            is_second_training = lead is None and self._lead is not None
            self._lead = self._weakref.ref(optimizer)
            self._since_lead = 0
            if is_second_training or is_silent:
                self._end_s = 0.0
                self._tokens.clear()
            else:
                self._reset()
            return True
        return False

    def _count(self, now_s):
        # type: (float) -> None
        tokens, other_calls = self._take_tokens()
        mark, self._marked = self._marked, ""
        if not mark and other_calls:
            # Evaluations between steps; where most steps have them they belong to the training (rollouts).
            self._evals += 1
            mark = "evaluation" if self._evals * 2 <= self._steps + 2 else ""
        if self._end_s:
            took_s = now_s - self._end_s
            if mark:
                self._marked_steps += 1
                self._marked_seconds += took_s
                self._marked_tokens = _plus(self._marked_tokens, tokens[0])
            else:
                self._steps += 1
                self._seconds += took_s
                self._totals = [_plus(a, b) for a, b in zip(self._totals, tokens)]
                if self._forward_s > self._end_s:
                    self._gap_seconds += self._forward_s - self._end_s
        self._last = (now_s - self._end_s if self._end_s else None, mark, tokens[0])
        self._end_s = now_s
        self._forward_s = 0.0

    def _take_tokens(self):  # type: ignore[no-untyped-def]
        """What the largest root was given since the last step, and whether there were calls that don't count."""
        taken, self._tokens = self._tokens, {}
        self._any_forward = False
        other = any("eval" in entry.calls for entry in taken.values())
        for key in sorted(taken, key=lambda key: -self._roots.get(key, (None, 0))[1]):
            why = taken[key].counted()
            if why is not None and why in taken[key].sums:
                self._shape = taken[key].shape[why]
                self._since_tokens = 0
                return taken[key].sums[why], other
        return [None, None, None], other

    def _report(self, now_s):
        # type: (float) -> None
        if now_s - self._facts_s > _FACTS_EVERY_S:
            self._facts_s = now_s
            self._sender.send("facts", self._facts())
        took_s, mark, tokens = self._last
        self._sender.send(
            "step",
            [
                ("time", "%.6f" % time.time()),
                ("steps", self._steps),
                ("seconds", "%.6f" % self._seconds),
                ("tokens", self._totals[0]),
                ("nonpad_tokens", self._totals[1]),
                ("loss_tokens", self._totals[2]),
                ("marked_steps", self._marked_steps),
                ("marked_seconds", "%.6f" % self._marked_seconds),
                ("marked_tokens", self._marked_tokens),
                ("gap_seconds", "%.6f" % self._gap_seconds),
                ("step_seconds", None if took_s is None else "%.6f" % took_s),
                ("step_tokens", tokens),
                ("mark", mark or None),
                ("shape", "x".join(map(str, self._shape)) or None),
            ],
        )

    # -- the model -------------------------------------------------------------------------------------------------

    def _meet(self, optimizer):  # type: ignore[no-untyped-def]
        """A new optimizer: its size, and the roots of the model whose parameters it has."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._sizes[optimizer] = sum(p.numel() for p in parameters)
        mark = getattr(optimizer, "register_state_dict_pre_hook", None)
        if mark is not None:
            mark(self._on_state_dict)
        if self._known.issuperset(map(id, parameters)) or self._scans >= _MAX_SCANS:
            return
        self._scans += 1
        self._known.update(map(id, parameters))
        modules = _top_modules()
        mine = {id(p) for p in parameters}
        roots = [m for m in modules if any(id(p) in mine for p in m.parameters())]
        # Master copies and flat shards match nothing: then whatever is trainable.
        for root in roots or [m for m in modules if any(p.requires_grad for p in m.parameters())]:
            self._known.update(id(p) for p in root.parameters())
            self._watch(root)
        if not roots and not self._roots:
            self._watch_next_call()

    def _on_state_dict(self, *args):  # type: ignore[no-untyped-def]
        self._marked = "checkpoint"

    def _watch(self, module):  # type: ignore[no-untyped-def]
        import torch

        if id(module) in self._roots or isinstance(module, torch.jit.ScriptModule):
            return
        size = sum(p.numel() for p in module.parameters())
        self._has_embedding = self._has_embedding or any(
            isinstance(m, torch.nn.Embedding) or "embed" in type(m).__name__.lower() for m in module.modules()
        )
        compiled = getattr(module, "_compiled_call_impl", None)
        handle = None
        if compiled is not None:
            # m.compile(): what is compiled never looks at hooks that came later.
            def call(*args, **kwargs):  # type: ignore[no-untyped-def]
                self.on_forward(module, args, kwargs)
                return compiled(*args, **kwargs)

            module._compiled_call_impl = call
        else:
            handle = module.register_forward_pre_hook(self.on_forward, with_kwargs=True)
        key = id(module)
        reference = self._weakref.ref(module, lambda _: self._roots.pop(key, None))
        self._roots[key] = (reference, size, handle, _argument_names(module))

    def _watch_next_call(self):  # type: ignore[no-untyped-def]
        """Where the garbage collector can't show the model: the outermost module that is called next is the root."""
        from torch.nn.modules.module import register_module_forward_pre_hook

        handles = []

        def first(module, args):  # type: ignore[no-untyped-def]
            while handles:
                handles.pop().remove()
                self._watch(module)
                self.on_forward(module, args, {})

        handles.append(register_module_forward_pre_hook(first))

    def _descend(self):
        # type: () -> None
        """No tokens came through the roots: their children may be what is called."""
        self._has_descended = True
        parents = [entry[0]() for entry in list(self._roots.values())]
        children = [child for parent in parents if parent is not None for child in parent.children()]
        grandchildren = [grandchild for child in children for grandchild in child.children()]
        for module in (children + grandchildren)[:_MAX_CHILDREN]:
            if any(True for _ in module.parameters()):
                self._watch(module)

    def _forward(self, module, args, kwargs):  # type: ignore[no-untyped-def]
        import torch

        if torch.compiler.is_compiling():
            return
        if not torch.is_grad_enabled():
            why = "train_no_grad" if module.training else "eval"
        elif torch._C._current_graph_task_id() != -1:
            why = "backward"
        else:
            why = "train" if module.training else "eval_grad"
        if why not in ("eval", "train_no_grad"):
            self._any_forward = self._ever_forward = True
            self._forward_s = self._forward_s or time.monotonic()
        entry = self._tokens.setdefault(id(module), _Tokens())
        names = self._roots.get(id(module), (None, 0, None, ()))[3]
        entry.add(why, None if why == "eval" else _find_tokens(args, kwargs, names, self._has_embedding))

    def _facts(self):  # type: ignore[no-untyped-def]
        roots = sorted(self._roots.values(), key=lambda entry: -entry[1])
        root = next((entry[0]() for entry in roots if entry[0]() is not None), None)
        lead = self._lead() if self._lead is not None else None
        from steelyard_facts import declared_facts, model_facts

        return declared_facts() + ([] if root is None else model_facts(root)) + [("optimizer", type(lead).__name__)]


def _plus(a, b):
    # type: (int | None, int | None) -> int | None
    """A sum in which absent stays absent until something is there."""
    if a is None:
        return b
    return a if b is None else a + b


def _top_modules():  # type: ignore[no-untyped-def]
    """The modules that are no other module's child."""
    import gc

    import torch

    modules = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Module)]
    children = {id(child) for module in modules for child in module.__dict__.get("_modules", {}).values()}
    return [module for module in modules if id(module) not in children and "_parameters" in module.__dict__]


def _argument_names(module):
    # type: (object) -> tuple[str, ...]
    """The names of a forward's positional arguments."""
    code = getattr(getattr(type(module), "forward", None), "__code__", None)
    return tuple(code.co_varnames[1 : code.co_argcount]) if code is not None else ()


def _find_tokens(args, kwargs, names, has_embedding):  # type: ignore[no-untyped-def]
    """The tensor of tokens among a forward's arguments: its shape, and (processed, not padding, with a loss) tokens."""
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
    return tuple(tokens.shape), (tokens.numel(), _unpadded(named, tokens), _with_loss(named))


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
