"""One job of a window as the comparison takes it: its figure, and what it may be matched on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from steelyard_efficiency.within import JobFigure

Quantity = Literal["tokens_per_s_device", "tokens_per_j", "cost_per_mtoken"]
Measured = Literal["tokens_per_s_device", "tokens_per_j"]
Mode = Literal["matched", "as run"]
Marked = Literal["productive", "wall"]

MEASURED: Final[tuple[Measured, ...]] = ("tokens_per_s_device", "tokens_per_j")
MODES: Final[tuple[Mode, ...]] = ("matched", "as run")
MARKED: Final[tuple[Marked, ...]] = ("productive", "wall")
TOKEN_KINDS: Final = ("processed", "nonpad", "loss")
# What a workload's key is made of; "as run" leaves the precision out.
MATCHED_ON: Final[Mapping[Mode, tuple[str, ...]]] = {
    "matched": ("model", "sequence length", "precision", "task"),
    "as run": ("model", "sequence length", "task"),
}


@dataclass(frozen=True, slots=True)
class Basis:
    """What a figure counts and over which time; figures of two bases are never compared.

    Attributes:
        marked: productive leaves out the steps that are marked as no training; wall is all of the job's time.
        token_kind: processed, nonpad or loss tokens.
    """

    marked: Marked
    token_kind: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """A run on one chip, over a window, of one quantity and basis. Restarts of one run are one row.

    Attributes:
        per: what a device of this chip is: package, die or gcd.
        workload: the key that is matched; empty where too little is known of the model.
        figure: ln(tokens / amount) with its variance.
        amount: device-seconds, or joules.
        coverage: of a figure of energy, the share of the job's time that the joules are known of.
        scaled_y: the same with all of the tokens over the joules scaled up to all of the time: with y it brackets the
            truth, whatever the time without joules was like.
        software: versions by name.
        marks: whether any step of the job was marked as no training.
    """

    run: str
    name: str
    vendor: str
    chip: str
    per: str
    workload: str
    model: str
    sequence_length: int | None
    precision: str
    task: str
    quantity: Measured
    basis: Basis
    figure: JobFigure
    tokens: float
    amount: float
    devices: float
    nodes: int
    origin: str
    tokens_origin: str
    coverage: float | None = None
    scaled_y: float | None = None
    marks: bool = False
    recompute: bool | None = None
    network: str = ""
    software: Mapping[str, str] = field(default_factory=dict)

    @property
    def y(self) -> float:
        """ln(tokens / amount)."""
        return self.figure.y


def key_of(job: JobRow, mode: Mode) -> str:
    """The workload that a job counts for; empty where too little is known."""
    if mode == "matched" or not job.workload:
        return job.workload
    return " | ".join(part for part in (job.model, str(job.sequence_length or ""), job.task) if part)
