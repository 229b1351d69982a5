"""Work of Ascend NPUs, of whatever export, and the profile that it adds up to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from steelyard_traces.classify import UNMATCHED, Classifier, load_classifier
from steelyard_traces.counts import Counts, Signature, flops_and_signature_of_cann
from steelyard_traces.device_work import (
    NO_STEP,
    DeviceWork,
    Kind,
    parts_of,
    split_of,
    works_by_core,
    works_by_kind,
    works_by_operator,
)
from steelyard_traces.intervals import Intervals
from steelyard_traces.profile import Calls, Layer, Profile, Split, Stack, Step, Work

ABSENT: Final = ("", "N/A")
_AGREE_NS: Final = 1_000
_COLLECTIVES: Final = ("HCCL", "COMMUNICATION")
_COMPUTE: Final = {
    "AI_CORE", "AICORE", "AI_VECTOR_CORE", "AIVEC", "MIX_AIC", "MIX_AIV", "AI_CPU", "AICPU", "DSA_SQE", "DSA",
}  # fmt: skip
_COPIES: Final = {"PCIE_DMA_SQE", "SDMA_SQE", "MEMCPY", "MEMSET"}
_NOTHING: Final = Intervals(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Task:
    """One task of an NPU: a kernel, a copy of memory, or a whole collective (not its small tasks).

    Attributes:
        inputs: shapes and types of its inputs and shapes of its outputs, as they are written; empty where they aren't.
        callers: the calls of torch around its launch, from the outermost on; empty where the export doesn't tell.
    """

    name: str
    type: str
    core: str
    start_ns: int
    duration_ns: int
    step: str = ""
    device: int = 0
    callers: tuple[str, ...] = ()
    inputs: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, slots=True)
class AscendRecording:
    """What an export tells.

    Attributes:
        calls: of torch operators on the host, where the export has them.
        launchers: device work by the torch operator that launched it; empty where the export doesn't tell.
        walls_ns: how long each step took on the host, by its name.
        waits: when the host was in its data loader; None where the export has no timeline of the host.
        vendor_ns: what the export itself says of all steps: computing, overlapped and communication.
    """

    path: str
    tasks: tuple[Task, ...]
    chip: str = ""
    rank: str = ""
    calls: tuple[Calls, ...] = ()
    launchers: tuple[Work, ...] = ()
    walls_ns: dict[str, int] = field(default_factory=dict)
    waits: Intervals | None = None
    vendor_ns: dict[str, int] | None = None
    notes: tuple[str, ...] = ()


def ascend_profile(recording: AscendRecording) -> Profile:
    """The profile of an export."""
    steps = tuple(dict.fromkeys(task.step for task in recording.tasks if task.step not in ABSENT))
    work = _work_of(recording.tasks, steps, load_classifier())
    parts = parts_of(work, _NOTHING if recording.waits is None else recording.waits)
    split = split_of(work)
    return Profile(
        path=recording.path,
        format="Ascend",
        chip=recording.chip,
        rank=recording.rank,
        devices=len(np.unique(work.device)),
        window_ns=sum(part.duration_ns for part in parts),
        step_count=len(steps) or None,
        steps=tuple(
            Step(name, recording.walls_ns.get(name), split_of(work.of_step(index))) for index, name in enumerate(steps)
        ),
        has_timeline=recording.waits is not None,
        kernels=int((work.layer < 2).sum()),
        kernels_ns=int((work.end_ns - work.start_ns)[work.layer < 2].sum()),
        split=split,
        parts=parts,
        operators=recording.launchers or works_by_operator(work),
        types=works_by_kind(work, work.counts),
        cores=works_by_core(work),
        calls=recording.calls,
        notes=(*recording.notes, *_disagreements(split, recording.vendor_ns or {})),
    )


def ascend_stacks(recording: AscendRecording) -> tuple[Stack, ...]:
    """Work under the calls that launched it, and where an export doesn't tell them under its class and type."""
    classifier = load_classifier()
    sums: dict[tuple[str, ...], int] = {}
    for task in recording.tasks:
        kind = _kind(task, classifier)
        frames = (*task.callers, task.name) if task.callers else (kind.class_name, kind.name, task.name)
        sums[frames] = sums.get(frames, 0) + task.duration_ns
    return tuple(Stack(frames, ns) for frames, ns in sorted(sums.items(), key=lambda item: (-item[1], item[0])) if ns)


def class_of_torch(name: str, classifier: Classifier) -> str:
    """The class of a torch operator on an NPU: by its own name, or by the CANN operator that it is named for."""
    known = classifier.class_of(name, "host")
    cann = name.rpartition("::")[2].removeprefix("aclnn").removeprefix("Inplace")
    return classifier.class_of(cann, "cann") if known == UNMATCHED else known


def layer_of(core: str, name: str) -> Layer | None:
    """What a task of a timeline is by its core: compute or a copy; None for waits, records and parts of collectives."""
    if core.removeprefix("KERNEL_") in _COMPUTE:
        return "compute"
    return "memory copy" if core in _COPIES and name.upper().startswith(("MEMCPY", "MEMSET")) else None


def _disagreements(split: Split, vendor_ns: dict[str, int]) -> Iterator[str]:
    """Where the export's own summary says something else than its kernels."""
    ours = {
        "computing": split.compute_ns,
        "overlapped": split.overlapped_ns,
        "communication": split.communication_ns,
    }
    for name, told_ns in vendor_ns.items():
        if abs(told_ns - ours[name]) > _AGREE_NS:
            yield f"the export itself says {told_ns / 1e6:.3f} ms {name}, the kernels {ours[name] / 1e6:.3f} ms"


def _work_of(tasks: Iterable[Task], steps: tuple[str, ...], classifier: Classifier) -> DeviceWork:
    kinds: dict[tuple[str, str, bool], tuple[int, Kind]] = {}
    operators: dict[str, int] = {}
    step_index = {name: index for index, name in enumerate(steps)}
    rows, flops = [], []
    signatures: dict[Signature, int] = {}
    for task in tasks:
        key = (task.name if task.type in ABSENT else task.type, task.core, task.type in ABSENT)
        if key not in kinds:
            kinds[key] = (len(kinds), _kind(task, classifier))
        operator = operators.setdefault(task.callers[-1] if task.callers else task.name, len(operators))
        step = step_index.get(task.step, NO_STEP)
        end_ns = task.start_ns + task.duration_ns
        shapes, types, outputs = task.inputs
        operations, signature = flops_and_signature_of_cann(task.type, shapes, outputs, types)
        flops.append(operations)
        sign = signatures.setdefault(signature, len(signatures))
        rows.append((task.start_ns, end_ns, task.device, kinds[key][0], operator, step, sign))
    start_ns, end, device, kind, operators_of, step_of, sign_of = np.array(rows, dtype=np.int64).reshape(-1, 7).T
    return DeviceWork(
        kinds=tuple(kind for _, kind in kinds.values()),
        operators=tuple(operators),
        start_ns=start_ns,
        end_ns=end,
        device=device,
        kind=kind,
        operator=operators_of,
        step=step_of,
        counts=Counts(np.array(flops), sign_of, tuple(signatures)),
    )


def _kind(task: Task, classifier: Classifier) -> Kind:
    name = task.name if task.type in ABSENT else task.type
    is_named = task.type in ABSENT and not name.lower().startswith(("hcom", "hccl"))
    class_name = _class_by_name(name, classifier) if is_named else classifier.class_of(name, "cann")
    is_collective = task.core in _COLLECTIVES
    if is_collective and not classifier.is_communication(class_name):
        class_name = "other collective"
    layer: Layer = "communication" if is_collective else layer_of(task.core, task.name) or "compute"
    if layer == "memory copy":
        class_name = "memory movement"
    return Kind(name, class_name, "" if task.core in ABSENT else task.core, layer)


def _class_by_name(name: str, classifier: Classifier) -> str:
    """At Level0 there is no type; a name carries it: `aclnnAdd_AddAiCore_Add`, `trans_TransData_12`."""
    words = [word for word in name.split("_") if word and not word.isdecimal()]
    for word in reversed(words):
        found = classifier.class_of(word, "cann")
        if found != UNMATCHED:
            return found
    return UNMATCHED
