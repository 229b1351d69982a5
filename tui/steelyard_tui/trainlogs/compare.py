"""Logs against a reference log, by the method of every other comparison: one job a side, and no fleet behind it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from steelyard_efficiency.compare import Comparison, compare
from steelyard_efficiency.jobs import Basis, JobRow, Marked
from steelyard_efficiency.rows import share_rows
from steelyard_efficiency.within import JobFigure, job_figure
from steelyard_tui.trainlogs.read import Minutes, TrainLog

MATCHED_ON: Final = ["your word", "sequence length and parameters where both logs tell them"]
_MODEL: Final = "the logs' training"
_YOUR_WORD: Final = (
    "a log doesn't say on which chip and at which precision it trained: that these are one workload is your word"
)
_ONE_JOB: Final = "one job a side and no fleet: it holds for these jobs, and says nothing of the chips"


def figure_of(minutes: Minutes) -> JobFigure | None:
    """Tokens per device-second with its variance."""
    counts, amounts = minutes.pairs
    return job_figure(counts, amounts, steps=minutes.steps)


def compare_logs(logs: Sequence[TrainLog], reference: TrainLog) -> list[dict[str, Any]]:
    """Rows by the names of the view `shares`, of each log against the reference; two figures beside them.

    `tokens_per_s_device` and `reference_tokens_per_s_device` are what is divided, over the time that `marked` names.
    """
    return [row for log in logs if log is not reference for row in _rows(log, reference)]


def _rows(log: TrainLog, reference: TrainLog) -> Iterator[dict[str, Any]]:
    pair = (log, reference)
    result = compare([row for side in pair for row in _job_rows(side, pair)], log.label, reference.label)
    figures = [figure_of(side.whole if _is_whole(result) else side.productive) for side in pair]
    for row in share_rows(result):
        yield {
            **row,
            "vendor": "",
            "unit": "device",
            # Over other jobs there is never an interval: why is said below.
            "is_shown": int(row["scope"] == "all" and row["kind"] in ("", "these jobs")),
            "matched_on": MATCHED_ON,
            "warnings": [*row["warnings"], *_warnings(result, pair)] if row["scope"] == "all" else [],
            "tokens_per_s_device": figures[0].ratio if figures[0] else None,
            "reference_tokens_per_s_device": figures[1].ratio if figures[1] else None,
        }


def _is_whole(result: Comparison) -> bool:
    return result.basis is not None and result.basis.marked == "wall"


def _job_rows(log: TrainLog, pair: Sequence[TrainLog]) -> Iterator[JobRow]:
    """A row over productive time and one over all of it, as the matching wants them."""
    sequence_length = log.sequence_length if all(side.sequence_length for side in pair) else None
    parameters = log.parameters if all(side.parameters for side in pair) else None
    model = _MODEL if parameters is None else f"{parameters:.3g} parameters"
    times: tuple[tuple[Marked, Minutes], ...] = (("productive", log.productive), ("wall", log.whole))
    for marked, minutes in times:
        figure = figure_of(minutes)
        if figure is None:
            continue
        counts, amounts = minutes.pairs
        yield JobRow(
            run=str(log.path),
            name=log.label,
            vendor="",
            chip=log.label,
            per="device",
            workload=" | ".join(part for part in (model, str(sequence_length or "")) if part),
            model=model,
            sequence_length=sequence_length,
            precision="",
            task="",
            quantity="tokens_per_s_device",
            basis=Basis(marked, "processed"),
            figure=figure,
            tokens=sum(counts),
            amount=sum(amounts),
            devices=float(log.devices),
            nodes=1,
            origin="measured",
            tokens_origin=log.tokens_origin,
            marks=log.tells_apart,
        )


def _warnings(result: Comparison, pair: Sequence[TrainLog]) -> Iterator[str]:
    if not result.workloads:
        return
    yield _ONE_JOB
    yield _YOUR_WORD
    if _is_whole(result):
        blind = next(side for side in pair if not side.tells_apart)
        yield (
            f"{blind.trainer} doesn't tell checkpoints and evaluations from steps: both are compared over all of their "
            "logged time, first steps included"
        )
    batches = [side.global_batch for side in pair]
    if all(batches) and batches[0] != batches[1]:
        yield f"global batch: {batches[0]} sequences in {pair[0].label}, {batches[1]} in {pair[1].label}"
    if pair[0].trainer != pair[1].trainer:
        yield f"unlike trainers, which may time steps unlike: {pair[0].trainer} and {pair[1].trainer}"
