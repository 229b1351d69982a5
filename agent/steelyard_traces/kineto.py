"""Traces of torch.profiler (Kineto), all generations of them: which operator launched which kernel, and when it ran."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from steelyard_proto.errors import TraceError
from steelyard_traces.classify import UNMATCHED, Classifier, load_classifier
from steelyard_traces.columns import NO_CORRELATION, ColumnBuilder, Columns, Label
from steelyard_traces.counts import Counts, Signature, flops_and_signature
from steelyard_traces.device_work import NO_STEP, DeviceWork, Kind
from steelyard_traces.intervals import Ints
from steelyard_traces.json_events import EventReader
from steelyard_traces.nesting import NO_PARENT, Nesting, nest
from steelyard_traces.profile import Layer
from steelyard_traces.trace_file import open_trace

OPERATOR: Final = "cpu_op"
PYTHON: Final = "python_function"
ANNOTATION: Final = "user_annotation"
NO_OPERATOR: Final = "(no operator known)"
_COPIES: Final = {"gpu_memcpy", "gpu_memset"}
_DEVICE: Final = {"kernel", "xpu_kernel", *_COPIES}
_HOST: Final = {OPERATOR, PYTHON, ANNOTATION, "cuda_runtime", "cuda_driver", "hip_runtime", "xpu_runtime"}
_NOT_TELLING: Final = {UNMATCHED, "bookkeeping"}


@dataclass(frozen=True, slots=True)
class Spans:
    """The steps: their names, and from when to when the host was in each, in the order of time."""

    names: tuple[str, ...]
    start_ns: Ints
    end_ns: Ints


@dataclass(frozen=True)
class KinetoTrace:
    """One trace, read.

    Attributes:
        facts: what it says of itself beside the events.
        host: which events are calls on the host, as indices of columns.
        device: which are work of a device.
    """

    path: Path
    columns: Columns
    facts: dict[str, Any]
    classifier: Classifier = field(default_factory=load_classifier)

    @cached_property
    def host(self) -> Ints:
        """Which events are calls on the host, as indices of the columns."""
        return np.flatnonzero(self._is_of(_HOST)[self.columns.label])

    @cached_property
    def device(self) -> Ints:
        """Which events are work of a device."""
        return np.flatnonzero(self._is_of(_DEVICE)[self.columns.label])

    @cached_property
    def nesting(self) -> Nesting:
        """The order of the host's calls, by their place in `host`."""
        c = self.columns
        return nest(c.thread[self.host], c.start_ns[self.host], c.duration_ns[self.host])

    @cached_property
    def launch(self) -> Ints:
        """For each piece of a device's work its launch, by its place in `host`; `NO_PARENT` where it isn't there."""
        host_ids = self.columns.correlation[self.host]
        launches = np.flatnonzero(host_ids != NO_CORRELATION)
        by_id = launches[np.argsort(host_ids[launches], kind="stable")]
        ids = host_ids[by_id]
        wanted = self.columns.correlation[self.device]
        at = np.searchsorted(ids, wanted)
        inside = np.minimum(at, max(len(ids) - 1, 0))
        found = np.full(len(wanted), NO_PARENT, dtype=np.int64)
        if len(ids):
            hit = (wanted != NO_CORRELATION) & (ids[inside] == wanted)
            found[hit] = by_id[inside[hit]]
        return found

    def spans(self) -> Spans:
        """The steps that the host marks: `ProfilerStep#N`, else from one optimizer's step to the next."""
        c, labels = self.columns, self.columns.labels
        marked = self._host_events(lambda label: label.name.startswith("ProfilerStep#"))
        marked = marked[self._has_operators(c.start_ns[marked], c.start_ns[marked] + c.duration_ns[marked])]
        if len(marked):
            names = tuple(labels[i].name.partition("#")[2] for i in c.label[marked].tolist())
            return Spans(names, c.start_ns[marked], c.start_ns[marked] + c.duration_ns[marked])
        ends = self._host_events(lambda label: label.name.startswith("Optimizer.step#"))
        end_ns = c.start_ns[ends] + c.duration_ns[ends]
        if not len(ends):
            return Spans((), end_ns, end_ns)
        first_ns = int(c.start_ns[self.host[c.thread[self.host] == c.thread[ends[0]]]].min())
        begins = np.concatenate(([first_ns], end_ns[:-1]))
        return Spans(tuple(str(i + 1) for i in range(len(ends))), begins, end_ns)

    def work(self, spans: Spans) -> DeviceWork:
        """The devices' work, each piece with its operator and step."""
        c = self.columns
        found = self._found()
        operator_index, operators = self._operators(found)
        labels = c.label[self.device].astype(np.int64)
        pairs, pair_index = np.unique(labels * len(operators) + operator_index, return_inverse=True)
        kinds: dict[Kind, int] = {}
        kind_of_pair = [kinds.setdefault(kind, len(kinds)) for kind in self._kinds(pairs, operators)]
        start_ns = c.start_ns[self.device]
        return DeviceWork(
            kinds=tuple(kinds),
            operators=operators,
            start_ns=start_ns,
            end_ns=start_ns + c.duration_ns[self.device],
            device=c.thread_pid[c.thread[self.device]],
            kind=np.array(kind_of_pair, dtype=np.int64)[pair_index],
            operator=operator_index,
            step=self._step(spans),
            counts=self._counts(found),
        )

    def label_mask(self, is_wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """For each call on the host whether its label is wanted."""
        wanted: NDArray[np.bool_] = is_wanted[self.columns.label[self.host]]
        return wanted

    def _found(self) -> Ints:
        """For each piece of a device's work the innermost operator around its launch, by its place in `host`."""
        return self.nesting.nearest(self.launch, self._is_of({OPERATOR})[self.columns.label[self.host]])

    def _counts(self, found: Ints) -> Counts | None:
        """Operations of each call, told at its first kernel; None where the trace tells no inputs."""
        c = self.columns
        if not c.signatures:
            return None
        base = len(c.signatures) + 1
        call = self.host[found]
        pair = np.where(found != NO_PARENT, c.label[call].astype(np.int64) * base + c.signature_of(call) + 1, 0)
        used, index = np.unique(pair, return_inverse=True)
        told = [self._counted(*divmod(one, base)) for one in used.tolist()]
        is_copy = ~self._is_of({"kernel", "xpu_kernel"})[c.label[self.device]]
        order = np.lexsort((is_copy, found))
        is_later = np.zeros(len(found), dtype=np.bool_)
        is_later[order[1:]] = found[order[1:]] == found[order[:-1]]
        flops = np.array([one for one, _ in told])[index]
        flops[is_later & ~np.isnan(flops)] = 0
        return Counts(flops, index.astype(np.int64), tuple(signature for _, signature in told))

    def _counted(self, label: int, signature: int) -> tuple[float, Signature]:
        if not signature:
            return float("nan"), Signature("", "")
        return flops_and_signature(self.columns.labels[label].name, *self.columns.signatures[signature - 1])

    def _operators(self, found: Ints) -> tuple[Ints, tuple[str, ...]]:
        c = self.columns
        label = np.where(found != NO_PARENT, c.label[self.host[found]], -1) if len(self.host) else found
        used, index = np.unique(label, return_inverse=True)
        return index, tuple(c.labels[i].name if i >= 0 else NO_OPERATOR for i in used.tolist())

    def _kinds(self, pairs: Ints, operators: tuple[str, ...]) -> Iterator[Kind]:
        """What each pair of a label and an operator is; pairs are in the order of their labels."""
        of_label, class_name = -1, UNMATCHED
        for pair in pairs.tolist():
            index, operator = divmod(pair, len(operators))
            label = self.columns.labels[index]
            if index != of_label:
                of_label, class_name = index, self._class_of_kernel(label)
            by_operator = self._class_of_operator(operators[operator]) if class_name == UNMATCHED else class_name
            yield self._kind(label, by_operator)

    def _class_of_kernel(self, label: Label) -> str:
        class_name = self.classifier.class_of(label.name, "kernel")
        if self.classifier.is_communication(class_name) and label.collective:
            return self.classifier.class_of(f"nccl:{label.collective}", "host")
        return class_name

    def _class_of_operator(self, operator: str) -> str:
        """The class of a kernel that is known by its operator alone."""
        class_name = self.classifier.class_of(operator, "host")
        is_telling = class_name not in _NOT_TELLING and not self.classifier.is_communication(class_name)
        return class_name if is_telling else UNMATCHED

    def _kind(self, label: Label, class_name: str) -> Kind:
        layer: Layer = "compute"
        if label.category in _COPIES:
            layer = "memory copy"
        elif self.classifier.is_communication(class_name):
            layer = "communication"
        return Kind(label.name, class_name, label.category, layer)

    def _step(self, spans: Spans) -> Ints:
        """The step in which each piece was launched: a device works later than its host asks."""
        step = np.full(len(self.device), NO_STEP, dtype=np.int64)
        known = np.flatnonzero(self.launch != NO_PARENT)
        if not spans.names or not len(known):
            return step
        at_ns = self.columns.start_ns[self.host[self.launch[known]]]
        index = np.searchsorted(spans.start_ns, at_ns, side="right") - 1
        step[known] = np.where((index >= 0) & (at_ns < spans.end_ns[index]), index, NO_STEP)
        return step

    def _has_operators(self, start_ns: Ints, end_ns: Ints) -> NDArray[np.bool_]:
        """Whether an operator began in each span: the last step that is marked often only begins."""
        operators = self.host[self._is_of({OPERATOR})[self.columns.label[self.host]]]
        begins = np.sort(self.columns.start_ns[operators])
        found: NDArray[np.bool_] = np.searchsorted(begins, end_ns) > np.searchsorted(begins, start_ns, side="right")
        return found

    def _is_of(self, categories: set[str]) -> NDArray[np.bool_]:
        return np.array([label.category in categories for label in self.columns.labels], dtype=np.bool_)

    def _host_events(self, is_wanted: Any) -> Ints:
        """Events of the host in the order of time; of one thread, where several have such: the busiest."""
        c = self.columns
        wanted = np.array([bool(is_wanted(label)) for label in c.labels], dtype=np.bool_)
        events = self.host[wanted[c.label[self.host]]]
        if len(events):
            threads, counts = np.unique(c.thread[events], return_counts=True)
            events = events[c.thread[events] == threads[np.argmax(counts)]]
        ordered: Ints = events[np.argsort(c.start_ns[events], kind="stable")]
        return ordered


def read_kineto(path: Path) -> KinetoTrace:
    """Reads a trace, plain or gzipped.

    Raises:
        TraceError: it is no such trace, it is cut off, or nothing was recorded in it.
    """
    builder = ColumnBuilder()
    with open_trace(path) as text:
        reader = EventReader(text)
        for block in reader.blocks():
            builder.add(block)
    trace = KinetoTrace(path, builder.columns(), reader.facts)
    if not len(trace.columns.label) and trace.columns.skipped:
        reason = f"none of its {trace.columns.skipped:,} events has a usable time; record again"
        raise TraceError(reason, path=str(path))
    if not len(trace.host) and not len(trace.device):
        raise TraceError(
            "no operator and no kernel in it: the process ran none while it was recorded, it was perhaps still "
            "starting; record again",
            path=str(path),
        )
    return trace
