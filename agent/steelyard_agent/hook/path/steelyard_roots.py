"""The roots of the models that a process trains: found by their parameters, watched by a hook before their forward.

Standard library only until torch is there, valid for Python 3.8.
"""

import weakref

from steelyard_precision import look_once, untraced
from steelyard_tokens import Finder, argument_names

_MAX_SCANS = 6
_MAX_CHILDREN = 64
_NO_NAMES = Finder(())


class Roots:
    """Modules whose calls are told to `on_forward(module, args, kwargs)`; holds none of them alive.

    What goes wrong in a call of the trainer's is told to `on_error(error)`.
    """

    def __init__(self, on_forward, on_error):  # type: ignore[no-untyped-def]
        self._on_forward = on_forward
        self._on_error = on_error
        self._hook = None  # type: ignore[var-annotated]
        self._watched = {}  # type: ignore[var-annotated]
        # By id, with a reference: ids are given again to the parameters of the next training.
        self._known = {}  # type: ignore[var-annotated]
        self._scans = 0
        self._has_descended = False
        self.has_embedding = False
        # That the last model was found to be called in; None for not looked yet.
        self.precision = None  # type: str | None

    def __bool__(self):
        # type: () -> bool
        return bool(self._watched)

    def size(self, key):
        # type: (int) -> int
        """Parameters of the root with this id; 0 for one that is gone."""
        return self._watched[key][1] if key in self._watched else 0

    def find(self, key, args, kwargs):  # type: ignore[no-untyped-def]
        """The tokens in a call of the root with this id; see Finder."""
        entry = self._watched.get(key)
        return (_NO_NAMES if entry is None else entry[2]).find(args, kwargs, self.has_embedding)

    def largest(self):  # type: ignore[no-untyped-def]
        """The largest root that lives; None for none."""
        for reference, _, _ in sorted(self._watched.values(), key=lambda entry: -entry[1]):
            if reference() is not None:
                return reference()
        return None

    def meet(self, parameters):  # type: ignore[no-untyped-def]
        """Looks for the roots of the model whose parameters an optimizer has."""
        if self._scans >= _MAX_SCANS or all(self._is_known(p) for p in parameters):
            return
        self._scans += 1
        mine = {id(p) for p in parameters}
        self._learn(parameters)
        modules = _top_modules()
        roots = [m for m in modules if any(id(p) in mine for p in m.parameters())]
        # Master copies and flat shards match nothing: then whatever is trainable.
        for root in roots or [m for m in modules if any(p.requires_grad for p in m.parameters())]:
            self._learn(root.parameters())
            self._watch(root)
        if not roots and not self._watched:
            self._watch_next_call()

    def _is_known(self, parameter):  # type: ignore[no-untyped-def]
        reference = self._known.get(id(parameter))
        return reference is not None and reference() is parameter

    def _learn(self, parameters):  # type: ignore[no-untyped-def]
        self._known.update((id(p), weakref.ref(p)) for p in parameters)

    def descend(self):
        # type: () -> None
        """No tokens came through the roots: their children may be what is called."""
        if self._has_descended:
            return
        self._has_descended = True
        parents = [entry[0]() for entry in list(self._watched.values())]
        children = [child for parent in parents if parent is not None for child in parent.children()]
        grandchildren = [grandchild for child in children for grandchild in child.children()]
        for module in (children + grandchildren)[:_MAX_CHILDREN]:
            if any(True for _ in module.parameters()):
                self._watch(module)

    def _watch(self, module):  # type: ignore[no-untyped-def]
        import torch

        if id(module) in self._watched or isinstance(module, torch.jit.ScriptModule):
            return
        size = sum(size_of(p) for p in module.parameters())
        self.has_embedding = self.has_embedding or any(
            isinstance(m, torch.nn.Embedding) or "embed" in type(m).__name__.lower() for m in module.modules()
        )
        # Made now: when the hook is installed torch isn't imported as a whole yet.
        self._hook = self._hook or untraced(self._on_forward)
        compiled = getattr(module, "_compiled_call_impl", None)
        if compiled is None:
            module.register_forward_pre_hook(self._hook, with_kwargs=True)
        else:
            _wrap_compiled(module, compiled, self._hook)
        key = id(module)
        reference = weakref.ref(module, lambda _: self._watched.pop(key, None))
        self._watched[key] = (reference, size, Finder(argument_names(module)))
        if self.largest() is module:
            look_once(module, self._take_precision)

    def _take_precision(self, precision):
        # type: (str) -> None
        self.precision = precision

    def _watch_next_call(self):  # type: ignore[no-untyped-def]
        """Where the garbage collector can't show the model: the outermost module that is called next is the root."""
        from torch.nn.modules.module import register_module_forward_pre_hook

        handles = []

        def first(module, args):  # type: ignore[no-untyped-def]
            while handles:
                handles.pop().remove()
                try:
                    self._watch(module)
                except Exception as error:
                    self._on_error(error)
                self._on_forward(module, args, {})

        handles.append(register_module_forward_pre_hook(untraced(first)))


def shape_of(parameter):  # type: ignore[no-untyped-def]
    """As a whole: DeepSpeed's ZeRO-3 leaves an empty tensor in its place between its uses."""
    return getattr(parameter, "ds_shape", parameter.shape)


def size_of(parameter):  # type: ignore[no-untyped-def]
    """Its elements, likewise."""
    return getattr(parameter, "ds_numel", None) or parameter.numel()


def _wrap_compiled(module, compiled, on_forward):  # type: ignore[no-untyped-def]
    """For m.compile(), whose compiled call never looks at hooks that came later."""
    reference = weakref.ref(module)

    def call(*args, **kwargs):  # type: ignore[no-untyped-def]
        owner = reference()
        if owner is not None:
            on_forward(owner, args, kwargs)
        return compiled(*args, **kwargs)

    module._compiled_call_impl = call


def _top_modules():  # type: ignore[no-untyped-def]
    """The modules that are no other module's child."""
    import gc

    import torch

    modules = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Module)]
    children = {id(child) for module in modules for child in module.__dict__.get("_modules", {}).values()}
    return [module for module in modules if id(module) not in children and "_parameters" in module.__dict__]
