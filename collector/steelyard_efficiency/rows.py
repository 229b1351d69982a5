"""A comparison as rows of plain values, by the names of the view `shares`: one meaning for every program."""

from collections.abc import Iterator
from typing import Any, Final

from steelyard_efficiency.between import NoShare, Share
from steelyard_efficiency.compare import Comparison
from steelyard_efficiency.jobs import MATCHED_ON

Row = dict[str, Any]

# Of the jobs that are left out so many are listed; the rest is counted.
_MOST_EXCLUDED: Final = 20
_NO_INTERVAL: Final = dict.fromkeys(("ratio", "lo", "hi", "df", "se", "prior_cv"))


def share_rows(result: Comparison) -> Iterator[Row]:
    """A row for each interval that was tried, and for each workload; one with a reason where there is none."""
    common = {
        **_NO_INTERVAL,
        "origin": result.origin,
        "chip": result.chip,
        "reference": result.reference,
        "quantity": result.quantity,
        "mode": result.mode,
        "marked": result.basis.marked if result.basis else "",
        "token_kind": result.basis.token_kind if result.basis else "",
        "matched_on": list(MATCHED_ON[result.mode]),
    }
    whole = {
        **common,
        "scope": "all",
        "workload": "",
        "n_a": result.jobs,
        "n_r": result.reference_jobs,
        "workloads": len(result.workloads),
        "warnings": list(result.warnings),
        "excluded": _excluded(result),
    }
    if not result.shares:
        yield {**whole, "kind": "", "is_shown": 1, "ratio": result.ratio, "reason": result.missing, **_no_prior()}
    for share in result.shares:
        yield {**whole, "ratio": result.ratio, **_interval(share, result), "is_shown": int(share is result.shown)}
    for dot in result.workloads:
        yield {
            **common,
            "scope": "workload",
            "workload": dot.workload,
            "n_a": dot.jobs,
            "n_r": dot.reference_jobs,
            "workloads": 1,
            "warnings": [],
            "excluded": [],
            "ratio": dot.ratio,
            "is_shown": 0,
            **_interval(dot.share, result),
        }


def _interval(share: Share | NoShare, result: Comparison) -> Row:
    if isinstance(share, NoShare):
        return {"kind": share.kind, "reason": share.reason, **_no_prior()}
    prior = result.prior if share.prior_cv is not None else None
    return {
        "kind": share.kind,
        "reason": "",
        "ratio": share.ratio,
        "lo": share.low,
        "hi": share.high,
        "df": share.df,
        "se": share.se,
        "prior_cv": share.prior_cv,
        "prior_groups": prior.groups if prior is not None else 0,
    }


def _no_prior() -> Row:
    return {"prior_groups": 0}


def _excluded(result: Comparison) -> list[str]:
    told = [f"{job.name} on {job.chip}: {job.reason}" for job in result.excluded[:_MOST_EXCLUDED]]
    more = len(result.excluded) - len(told)
    return [*told, f"and {more} more"] if more else told
