"""What is known of one recording, whichever profiler made it; all times in integer nanoseconds."""

from dataclasses import dataclass
from typing import Final, Literal

Layer = Literal["compute", "communication", "memory copy", "idle", "host"]

DATA_WAIT: Final = "data wait"


@dataclass(frozen=True, slots=True)
class Split:
    """Where a device's time went; of several devices the sums.

    Attributes:
        window_ns: from the first piece of work to the end of the last.
        compute_ns: while anything computed.
        communication_ns: while any collective ran.
        overlapped_ns: while both did.
        memory_copy_ns: while memory was copied or set, and neither of the two ran.
        gaps: pieces of idle time, in which a device waited for its host or for another device; their sum is `idle_ns`.
        longest_gap_ns: the longest of them; 0 where there is none.
    """

    window_ns: int
    compute_ns: int
    communication_ns: int
    overlapped_ns: int
    memory_copy_ns: int
    gaps: int
    longest_gap_ns: int

    @property
    def exposed_ns(self) -> int:
        """While a collective ran and nothing computed."""
        return self.communication_ns - self.overlapped_ns

    @property
    def idle_ns(self) -> int:
        """While nothing ran at all."""
        return self.window_ns - self.compute_ns - self.exposed_ns - self.memory_copy_ns


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `split` is absent where no device worked, `wall_ns` where the recording has no host."""

    name: str
    wall_ns: int | None
    split: Split | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the window; parts don't overlap, and their sum is the window. What runs at once counts for the first.

    Attributes:
        layer: compute comes before communication, that before copies; `host` where the recording has no device.
        name: the class of operators, `idle`, `DATA_WAIT`, or `outside operators`.
    """

    layer: Layer
    name: str
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Work:
    """Sums over pieces of work of a device with one thing in common: an operator, a type or a core.

    Attributes:
        class_name: the operator class; empty where several are meant.
        core: what it ran on; empty where several are meant.
        flops: operations of all of it; None where shapes aren't told for all, or nothing is counted.
        shapes: of the inputs, where all have the same; empty otherwise.
        precision: bfloat16, float16 or float32, where all have the same; empty otherwise.
    """

    name: str
    class_name: str
    core: str
    count: int
    total_ns: int
    min_ns: int
    max_ns: int
    flops: float | None = None
    shapes: str = ""
    precision: str = ""

    @property
    def tflops(self) -> float | None:
        """Achieved, in TFLOP/s, while it ran."""
        return self.flops / self.total_ns / 1000 if self.flops and self.total_ns else None


@dataclass(frozen=True, slots=True)
class Calls:
    """Sums over the calls of one operator on the host; `self_ns` is the time without the calls inside."""

    name: str
    class_name: str
    category: str
    count: int
    total_ns: int
    self_ns: int
    min_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class Stack:
    """A path of calls from the outermost to the innermost, and the time of this very path."""

    frames: tuple[str, ...]
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a device moved bytes one way, while it was sampled; what isn't told is None.

    Attributes:
        device: its index on the node.
        link: hbm, ddr, hccs, pcie or roce.
        direction: read or write, of memory; sent or received, of links.
        part: of several the unit, the port or the kind of traffic; empty where there is one.
        samples: that the mean is over.
        node: which one; None in a recording.
    """

    device: int
    link: str
    direction: str
    part: str
    mean_bytes_per_s: float
    min_bytes_per_s: float | None = None
    max_bytes_per_s: float | None = None
    samples: int | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One recording.

    Attributes:
        format: which profiler's output it is.
        chip: the device's name; empty where the recording doesn't tell.
        rank: of the process; empty where the recording doesn't tell.
        devices: how many worked; 0 where the recording has the host alone, and `parts` are of its busiest thread.
        window_ns: the sum of `parts`.
        step_count: how many steps the window holds; None where nothing marks them.
        has_timeline: whether it tells when the host did what.
        kernels_ns: the sum over all kernels, collectives among them; None without a device.
        operators: device work by the operator that launched it, most time first.
        types: by kernel or type.
        cores: by what it ran on.
        notes: what a reader must know: parts of the file that could not be used.
        rates: of memory and links; a recording may have them alone.
    """

    path: str
    format: str
    chip: str
    rank: str
    devices: int
    window_ns: int
    step_count: int | None
    steps: tuple[Step, ...]
    has_timeline: bool
    kernels: int
    kernels_ns: int | None
    split: Split | None
    parts: tuple[Part, ...]
    operators: tuple[Work, ...]
    types: tuple[Work, ...]
    cores: tuple[Work, ...]
    calls: tuple[Calls, ...]
    notes: tuple[str, ...]
    rates: tuple[Rate, ...] = ()

    @property
    def data_wait_ns(self) -> int | None:
        """While nothing ran and the host was in its data loader; None where the recording has no host's timeline."""
        return sum(part.duration_ns for part in self.parts if part.name == DATA_WAIT) if self.has_timeline else None

    @property
    def unmatched_ns(self) -> int:
        """The time of the window in which operators ran that no class knows."""
        from steelyard_traces.classify import UNMATCHED

        return sum(part.duration_ns for part in self.parts if part.name == UNMATCHED)
