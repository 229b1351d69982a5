"""Follows one process's training through its optimizers' steps and its model's calls; docs/training.md has the rules.

Everything that torch calls is guarded: it never raises, prints or blocks in the trainer, and after an error of its own
it turns itself off, saying why once. Standard library only until torch is there, valid for Python 3.8.
"""

import atexit
import os
import sys
import time
import weakref

import torch
from steelyard_roots import Roots
from steelyard_tokens import added, counted
from steelyard_totals import Totals

# After so many steps of others without one of its own an optimizer no longer leads.
_SILENT_STEPS = 20
# Nothing is told before it is clear who leads.
_TRUST_STEPS, _TRUST_S = 8, 10.0
_PATIENCE_STEPS = 3
_FACTS_EVERY_S = 30.0
# Steps that end sooner after a datagram are told with the next one: the agent makes one row of them in any case.
_TELL_EVERY_S = 0.25
_NO_COUNTS = (None, None, None, None)
# What os.environ keeps; by its own way to it a look costs 2 us, and there is one a step.
_ENVIRON = getattr(os.environ, "_data", None)
_SWITCH, _OFF = os.fsencode("STEELYARD_HOOK"), (b"0", b"off")


class Watcher:
    """The state of one process's training."""

    def __init__(self, sender):  # type: ignore[no-untyped-def]
        self._sender = sender
        self._is_off = False
        self._sizes = weakref.WeakKeyDictionary()  # type: ignore[var-annotated]
        self._lead = None  # type: ignore[var-annotated]
        self._since_lead = 0
        self._roots = Roots(self.on_forward, self._turn_off)
        # By root: what its calls since the last step found, by why it was called; None for nothing.
        self._tokens = {}  # type: ignore[var-annotated]
        self._totals = Totals()
        self._shape = ()  # type: tuple[int, ...]
        self._marked = ""
        self._any_forward = self._ever_forward = False
        self._forward_s = 0.0
        self._calls = 0
        self._first_s = self._facts_s = self._told_s = 0.0
        self._is_all_told = True
        self._is_forked = False
        self._without_tokens = 0
        os.register_at_fork(after_in_child=self._begin_anew)
        atexit.register(self._tell_rest)

    def on_step(self, optimizer):  # type: ignore[no-untyped-def]
        """After an optimizer's step."""
        if self._is_off:
            return
        try:
            self._step(optimizer, time.monotonic())
        except Exception as error:
            self._turn_off(error)

    def on_forward(self, module, args, kwargs):  # type: ignore[no-untyped-def]
        """Before a root's forward: one body, since each call within it is paid for with each micro-batch."""
        if self._is_off:
            return
        try:
            if not torch.is_grad_enabled():
                why = "train_no_grad" if module.training else "eval"
            else:
                if torch._C._current_graph_task_id() != -1:
                    why = "backward"
                else:
                    why = "train" if module.training else "eval_grad"
                self._any_forward = self._ever_forward = True
                self._forward_s = self._forward_s or time.monotonic()
            key = id(module)
            calls = self._tokens.get(key)
            if calls is None:
                calls = self._tokens[key] = {}
            found = None if why == "eval" else self._roots.find(key, args, kwargs)
            if calls.get(why) is None:
                calls[why] = found
            elif found is not None:
                calls[why] = added(calls[why], found)
        except Exception as error:
            self._turn_off(error)

    def _turn_off(self, error):
        # type: (Exception) -> None
        self._is_off = True
        try:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = "" if where is None else " (%s:%d)" % (
                os.path.basename(where.tb_frame.f_code.co_filename), where.tb_lineno)  # fmt: skip
            self._sender.send("off", [("reason", "%s: %s%s" % (type(error).__name__, error, place))])
        except Exception:
            pass

    def _begin_anew(self):
        # type: () -> None
        """A forked child trains on its own."""
        self._sender.begin_anew()
        self._totals = Totals()
        self._facts_s = self._told_s = 0.0
        self._is_all_told = self._is_forked = True

    def _step(self, optimizer, now_s):  # type: ignore[no-untyped-def]
        self._calls += 1
        self._first_s = self._first_s or now_s
        if self._lead is not None and self._lead() is optimizer:
            self._since_lead = 0
        elif not self._leads(optimizer):
            return
        if self._roots and not self._any_forward and (self._ever_forward or self._calls <= _PATIENCE_STEPS):
            # Two inner steps of one wrapper: the data has not changed since. Before the first forward was seen that
            # can't be told from a root that is never called, so the first steps only set the clock.
            if not (self._ever_forward and self._totals.end_s):
                self._totals.end_s = now_s
            return
        counts, has_evaluated = self._take_tokens()
        self._totals.end_step(now_s, self._forward_s, counts, self._marked, has_evaluated)
        self._marked, self._forward_s = "", 0.0
        if self._totals.counts[0] is None:
            self._without_tokens += 1
            if self._without_tokens >= _PATIENCE_STEPS:
                self._roots.descend()
        if now_s - self._told_s < _TELL_EVERY_S:
            self._is_all_told = False
        elif self._calls >= _TRUST_STEPS or now_s - self._first_s > _TRUST_S:
            self._report(now_s)

    def _meet(self, optimizer):  # type: ignore[no-untyped-def]
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._sizes[optimizer] = sum(p.numel() for p in parameters)
        mark = getattr(optimizer, "register_state_dict_pre_hook", None)
        if mark is not None:
            mark(self._on_state_dict)
        self._roots.meet(parameters)

    def _on_state_dict(self, *args):  # type: ignore[no-untyped-def]
        self._marked = "checkpoint"

    def _leads(self, optimizer):  # type: ignore[no-untyped-def]
        """Whether a step of this optimizer ends a step of the training: the largest one leads."""
        if optimizer not in self._sizes:
            self._meet(optimizer)
        lead = self._lead() if self._lead is not None else None
        self._since_lead += 1
        is_silent = self._since_lead > _SILENT_STEPS
        if lead is not None and not is_silent and self._sizes[optimizer] <= self._sizes.get(lead, 0):
            return False
        is_second_training = lead is None and self._lead is not None
        self._lead = weakref.ref(optimizer)
        self._since_lead = 0
        if is_second_training or is_silent:
            self._totals.end_s = 0.0
            self._tokens.clear()
        else:
            # What was counted so far was counted by the wrong one.
            self._totals = Totals()
        return True

    def _take_tokens(self):  # type: ignore[no-untyped-def]
        """What the largest root was given since the last step, and whether there were calls that evaluate."""
        taken, self._tokens = self._tokens, {}
        self._any_forward = False
        has_evaluated = False
        found, most = None, -1
        for key, calls in taken.items():
            has_evaluated = has_evaluated or "eval" in calls
            own = counted(calls)
            size = self._roots.size(key)
            if own is not None and size > most:
                most = size
                self._shape, found = own
        if found is None:
            return _NO_COUNTS, has_evaluated
        self._without_tokens = 0
        return found, has_evaluated

    def _tell_rest(self):
        # type: () -> None
        """At the process's end: the steps since the last datagram."""
        if self._is_all_told or self._is_off:
            return
        try:
            self._report(self._totals.end_s)
        except Exception as error:
            self._turn_off(error)

    def _report(self, now_s):
        # type: (float) -> None
        self._told_s = now_s
        self._is_all_told = True
        if self._is_forked:
            self._is_forked = False
            if "multiprocessing.util" in sys.modules:
                # A child of multiprocessing's ends without atexit.
                sys.modules["multiprocessing.util"].Finalize(None, self._tell_rest, exitpriority=0)
        said = None
        if os.environ.get("STEELYARD_HOOK") in ("0", "off") if _ENVIRON is None else _ENVIRON.get(_SWITCH) in _OFF:
            # The script says its steps itself: only what the model is like is told, numbered along with them.
            said = (getattr(sys.modules.get("steelyard_step"), "_STEPS", None) or [None])[0]
            if said is None:
                return
            self._sender.number = said.number
        if not self._facts_s or now_s - self._facts_s > _FACTS_EVERY_S:
            self._facts_s = now_s
            from steelyard_facts import facts_of

            lead = self._lead() if self._lead is not None else None
            self._sender.send("facts", facts_of(self._roots.largest(), lead, self._shape, self._roots.precision))
        if said is None:
            sender = self._sender
            sender.put(self._totals.datagram(sender.pid, sender.next_number()))
        else:
            said.number = self._sender.number
