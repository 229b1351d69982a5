"""The end of each optimizer's step in torch 2.1 and 2.2, where torch's own hook doesn't last.

The first torch.compile there takes the hooks from the steps of all optimizers in torch.optim, and those that are made
later get none: it looks for a step's `__wrapped__`, and marks what it leaves as `hooked`. So each step is wrapped here
twice, and what is left is one of ours. Standard library only until torch is there, valid for Python 3.8.
"""


def after_steps(tell):  # type: ignore[no-untyped-def]
    """Has tell(optimizer) called after each step of every optimizer that is made from now on."""
    from functools import wraps

    from steelyard_precision import untraced
    from torch.optim.optimizer import Optimizer

    patch = Optimizer._patch_step_function

    def told(step):  # type: ignore[no-untyped-def]
        # Where a step is compiled itself, ours would break its graph.
        said = untraced(tell)

        @wraps(step)
        def step_and_tell(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            result = step(self, *args, **kwargs)
            said(self)
            return result

        step_and_tell.hooked = step_and_tell._is_steelyards = True  # type: ignore[attr-defined]
        return step_and_tell

    def patch_and_keep(optimizer):  # type: ignore[no-untyped-def]
        kind = type(optimizer)
        bare = kind.step
        patch(optimizer)
        if getattr(bare, "_is_steelyards", False):
            return
        outer = told(kind.step)
        if kind.step is not bare:
            outer.__wrapped__ = told(bare)
        kind.step = outer

    Optimizer._patch_step_function = patch_and_keep  # type: ignore[method-assign]
