"""Knows the steps and tokens of an unmodified torch training, from inside its process.

Waits for torch's optimizers and registers a hook after every step of theirs; steelyard_watch makes of it what is told
to the local agent. Never raises, prints or blocks in the trainer. Standard library only, valid for Python 3.8.
What is counted, and what is not, is in docs/training.md.
"""

import os
import sys


def arm():
    # type: () -> None
    """Installs the hook now if torch's optimizers are loaded, else when they are imported; once in a process."""
    if os.environ.get("STEELYARD_HOOK", "1") in ("0", "off") or getattr(sys, "_steelyard_is_armed", False):
        return
    # Both sitecustomize and a .pth file may come here, each with a module of its own.
    sys._steelyard_is_armed = True  # type: ignore[attr-defined]
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
        from steelyard_datagram import Sender

        sender = Sender()
    except Exception:
        return
    try:
        _watch(sender)
    except Exception as error:
        sender.send("off", [("reason", "%s: %s" % (type(error).__name__, error))])


def _watch(sender):  # type: ignore[no-untyped-def]
    # Of a torch that is imported only in part yet.
    version = tuple(int(part) for part in sys.modules["torch"].__version__.split(".")[:2])
    if version < (2, 1):
        raise RuntimeError("torch %d.%d is too old; the hook needs 2.1 or later" % version)
    from steelyard_watch import Watcher

    watcher = Watcher(sender)
    if version < (2, 3):
        from steelyard_old_torch import after_steps

        after_steps(watcher.on_step)
        return
    from torch._compile import _disable_dynamo
    from torch.optim.optimizer import register_optimizer_step_post_hook

    def after_step(optimizer, args, kwargs):  # type: ignore[no-untyped-def]
        watcher.on_step(optimizer)

    # Dynamo would trace a hook, or fold its guards away; it is told to leave this one alone. It marks the function,
    # which it can't do to a method.
    register_optimizer_step_post_hook(_disable_dynamo(after_step))
