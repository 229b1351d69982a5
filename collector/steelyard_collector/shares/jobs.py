"""The jobs of a window, read as the comparison takes them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steelyard_collector.shares.window import Window
from steelyard_collector.store.job_figures import Query, job_figures
from steelyard_efficiency.jobs import Basis, JobRow, Measured
from steelyard_efficiency.pool import Excluded
from steelyard_efficiency.within import JobFigure


@dataclass(frozen=True, slots=True)
class Left:
    """A job that has no figure of a quantity."""

    quantity: Measured
    origin: str
    job: Excluded


@dataclass(frozen=True, slots=True)
class Jobs:
    """What ran in a window: jobs with a figure, and jobs without one."""

    rows: tuple[JobRow, ...] = ()
    left: tuple[Left, ...] = ()


def read_jobs(query: Query, window: Window) -> Jobs:
    """Every job of a window, which holds some; see `told_part`.

    Raises:
        StoreError: the store can't be read.
    """
    rows = job_figures(query, window.from_ms // 1000, window.to_ms // 1000).to_pylist()
    wall_tokens = {
        (row["run"], row["chip"], row["workload"]): row["tokens"]
        for row in rows
        if (row["quantity"], row["marked"]) == ("tokens_per_s_device", "wall")
    }
    jobs = [
        _job(row, wall_tokens.get((row["run"], row["chip"], row["workload"]))) for row in rows if not row["excluded"]
    ]
    return Jobs(tuple(jobs), tuple(_left(row) for row in rows if row["excluded"]))


def _left(row: Mapping[str, Any]) -> Left:
    job = Excluded(row["run"], row["name"] or row["run"], row["chip"] or "", row["excluded"])
    # What is played or simulated says so with its devices; a job that only told steps is neither.
    return Left(row["quantity"], row["origin"] or "measured", job)


def _job(row: Mapping[str, Any], wall_tokens: float | None) -> JobRow:
    scaled_y = None
    if row["quantity"] == "tokens_per_j" and row["marked"] == "wall" and row["coverage"] and wall_tokens:
        scaled_y = math.log(wall_tokens * row["coverage"] / row["amount"])
    return JobRow(
        run=row["run"],
        name=row["name"] or row["run"],
        vendor=row["vendor"],
        chip=row["chip"],
        per=row["per"],
        workload=row["workload"],
        model=row["model"],
        sequence_length=row["sequence_length"],
        precision=row["precision"],
        task=row["task"] or "",
        quantity=row["quantity"],
        basis=Basis(row["marked"], row["token_kind"]),
        figure=JobFigure(row["y"], row["variance"], row["df"], row["batches"], row["correlation"]),
        tokens=row["tokens"],
        amount=row["amount"],
        devices=row["devices"],
        nodes=row["nodes"],
        origin=row["origin"],
        tokens_origin=row["tokens_origin"] or "",
        recompute=row["recompute"],
        network=row["network"] or "",
        software=dict(row["software"] or ()),
        coverage=row["coverage"],
        scaled_y=scaled_y,
        marks=bool(row["marks"]),
    )
