"""Lets a training script say its own steps: `import steelyard_step`.

    for batch in loader:
        with steelyard_step.training_step(tokens=8192):
            ...
    # or, after each step:
        steelyard_step.step(tokens=8192, loss=2.31)

or a framework's callback, made by `hugging_face()`, `lightning()`, `accelerate()` or `mindspore()`. What is said here
replaces what the hook would infer. Dropped when no agent listens; never raises or blocks. Standard library only, valid
for Python 3.8; importing no other file of ours, it can be copied beside a script.
"""

import atexit
import contextlib
import numbers
import os
import socket
import time

__all__ = ["accelerate", "hugging_face", "lightning", "mindspore", "step", "training_step"]


class _Steps:
    """Totals since the process began."""

    def __init__(self):
        # type: () -> None
        # The hook would count the same steps once more.
        os.environ["STEELYARD_HOOK"] = "0"
        self.number = self.steps = 0
        self.marked_steps = 0
        self.seconds = self.marked_seconds = self.end_s = 0.0
        self.tokens = None  # type: int | None
        self.token_steps = 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        # A Python that shows its warnings would tell of one that is left open.
        atexit.register(self.socket.close)

    def end(self, took_s, tokens, mark, loss=None):  # type: ignore[no-untyped-def]
        """Counts a step and tells it; a marked one, or one without a beginning, is told and not counted."""
        self.end_s = time.monotonic()
        refused = 1 if tokens is not None and not _is_count(tokens) else None
        tokens = int(tokens) if tokens is not None and not refused else None
        if took_s is not None and not mark:
            self.steps += 1
            self.seconds += took_s
            if tokens is not None:
                self.tokens = (self.tokens or 0) + tokens
                self.token_steps += 1
        elif took_s is not None:
            self.marked_steps += 1
            self.marked_seconds += took_s
        self.number += 1
        fields = [
            ("pid", os.getpid()), ("number", self.number), ("time", "%.6f" % time.time()), ("origin", "declared"),
            ("steps", self.steps), ("seconds", "%.6f" % self.seconds), ("tokens", self.tokens),
            ("token_steps", self.token_steps), ("marked_steps", self.marked_steps),
            ("marked_seconds", "%.6f" % self.marked_seconds), ("step_seconds", took_s),
            ("step_tokens", tokens), ("refused_tokens", refused), ("mark", mark), ("loss", loss),
        ] + [(name.lower(), os.environ.get(name)) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")]  # fmt: skip
        fields += [(name, os.environ.get("STEELYARD_" + name.upper())) for name in ("job", "run", "model", "task")]
        lines = ["steelyard 1 step"] + ["%s=%s" % pair for pair in fields if pair[1] is not None]
        named = os.environ.get("STEELYARD_SOCKET")
        for address in [named] if named else ["/run/steelyard/agent.sock", "\0steelyard-agent"]:
            with contextlib.suppress(OSError):
                self.socket.sendto("\n".join(lines).encode(), address)
                return


_STEPS = []  # type: list[_Steps]


def _steps():
    # type: () -> _Steps
    if not _STEPS:
        _STEPS.append(_Steps())
    return _STEPS[0]


def _is_count(tokens):  # type: ignore[no-untyped-def]
    # A nonsense count must not become a figure, nor an error in somebody's training. NumPy's whole numbers are counts;
    # a tensor is none, for to read it would wait for the device.
    return isinstance(tokens, numbers.Integral) and 0 <= tokens < 1 << 53


def _plain(loss):  # type: ignore[no-untyped-def]
    # To read a tensor would wait for the device.
    return loss if isinstance(loss, (int, float)) else None


def step(tokens=None, mark=None, loss=None):  # type: ignore[no-untyped-def]
    """Says that a step has just ended; it began where the last one ended.

    Args:
        tokens: what this rank processed in it; None where that is not known.
        mark: "checkpoint", "evaluate" or "warmup" for a step that did more than train: kept apart.
        loss: of the step, as a plain number that the script has anyway; a tensor is left out.
    """
    steps = _steps()
    steps.end(time.monotonic() - steps.end_s if steps.end_s else None, tokens, mark, _plain(loss))


@contextlib.contextmanager
def training_step(tokens=None, mark=None):  # type: ignore[no-untyped-def]
    """A step that lasts as long as the with block; an exception in it passes through, and the step isn't counted."""
    begin_s = time.monotonic()
    yield
    _steps().end(time.monotonic() - begin_s, tokens, mark)


def hugging_face(tokens_per_step=None):  # type: ignore[no-untyped-def]
    """A TrainerCallback; without a count it takes the Trainer's own (include_num_input_tokens_seen="all")."""
    from transformers import TrainerCallback

    class Steps(TrainerCallback):  # type: ignore[misc]
        """Says each optimizer step of a Trainer."""

        seen = None
        mark = None
        loss = None

        def on_evaluate(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
            """See TrainerCallback."""
            self.mark = "evaluate"

        def on_save(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
            """See TrainerCallback."""
            self.mark = "checkpoint"

        def on_log(self, args, state, control, logs=None, **kwargs):  # type: ignore[no-untyped-def]
            """See TrainerCallback; the loss is told with the next step."""
            self.loss = (logs or {}).get("loss")

        def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
            """See TrainerCallback."""
            tokens, mark = tokens_per_step, self.mark
            if tokens is None and getattr(args, "include_num_input_tokens_seen", "no") in (True, "all"):
                # The Trainer counts the whole job's; this rank has its part of them.
                seen = int(state.num_input_tokens_seen) // max(1, args.world_size)
                tokens = None if self.seen is None else seen - self.seen
                self.seen = seen
            loss, self.mark, self.loss = self.loss, None, None
            step(tokens, mark, loss)

    return Steps()


def _tokens_of(batch):  # type: ignore[no-untyped-def]
    """Elements of a batch's input_ids, or of the batch itself; None where it holds no such thing."""
    if isinstance(batch, (list, tuple)) and batch:
        batch = batch[0]
    if hasattr(batch, "keys"):
        batch = batch["input_ids"] if "input_ids" in batch else None
    is_whole = str(getattr(batch, "dtype", "")) in ("torch.int64", "torch.int32")
    return int(batch.numel()) if is_whole and hasattr(batch, "numel") else None


class _Accumulated:
    """Tokens of the micro-batches since the last step; one that isn't known makes the sum unknown."""

    def __init__(self):
        # type: () -> None
        self.tokens = 0  # type: int | None

    def add(self, tokens):  # type: ignore[no-untyped-def]
        self.tokens = None if tokens is None or self.tokens is None else self.tokens + tokens

    def take(self):  # type: ignore[no-untyped-def]
        tokens, self.tokens = self.tokens, 0
        return tokens


def lightning(tokens_per_step=None):  # type: ignore[no-untyped-def]
    """A Lightning Callback; without a count it takes the elements of each batch's input_ids, or first tensor."""
    try:
        from lightning.pytorch.callbacks import Callback
    except ImportError:
        from pytorch_lightning.callbacks import Callback

    class Steps(Callback):  # type: ignore[misc]
        """Says each optimizer step of a Lightning trainer."""

        last = 0
        mark = None
        accumulated = _Accumulated()

        def on_validation_end(self, trainer, module):  # type: ignore[no-untyped-def]
            """See Callback."""
            self.mark = "evaluate"

        def on_save_checkpoint(self, trainer, module, checkpoint):  # type: ignore[no-untyped-def]
            """See Callback."""
            self.mark = "checkpoint"

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):  # type: ignore[no-untyped-def]
            """See Callback; with accumulation most batches end no step."""
            self.accumulated.add(_tokens_of(batch))
            if trainer.global_step > self.last:
                self.last = trainer.global_step
                tokens, mark, self.mark = self.accumulated.take(), self.mark, None
                step(tokens if tokens_per_step is None else tokens_per_step, mark)

    return Steps()


def accelerate(accelerator, tokens_per_step=None):  # type: ignore[no-untyped-def]
    """For a loop of Accelerate's: call what this returns with each batch, after the optimizer's step.

    said = steelyard_step.accelerate(accelerator)
    for batch in loader:
        with accelerator.accumulate(model):
            ...
            optimizer.step()
            said(batch)
    """
    accumulated = _Accumulated()

    def said(batch=None):  # type: ignore[no-untyped-def]
        accumulated.add(_tokens_of(batch))
        if accelerator.sync_gradients:
            tokens = accumulated.take()
            step(tokens if tokens_per_step is None else tokens_per_step)

    return said


def mindspore(tokens_per_step=None):  # type: ignore[no-untyped-def]
    """A MindSpore Callback that says each step; not yet verified on MindSpore."""
    from mindspore.train.callback import Callback

    class Steps(Callback):  # type: ignore[misc]
        """Says each step of a MindSpore Model.train."""

        def on_train_step_end(self, run_context):  # type: ignore[no-untyped-def]
            """See Callback."""
            step(tokens_per_step)

    return Steps()
