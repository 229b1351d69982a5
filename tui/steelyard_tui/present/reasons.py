"""Why a chip has no share yet: what is missing, and when it will come, for somebody who sees it for the first time."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from steelyard_tui.comparison import Chip, Row, Weighed
from steelyard_tui.present.figures import duration, text_of

# What the collector leaves out at the start of each process, whichever is longer.
FIRST_STEPS: Final = 20
FIRST_S: Final = 300
# From the end of the minute of the first step that counts until its share is kept: a minute closes, is rolled up, and
# shares are computed once a minute.
_KEPT_S: Final = 150
# Minutes of steps that an interval over the jobs of a window needs.
INTERVAL_MIN: Final = 6
_MOST_WORKLOADS: Final = 2
_RULE: Final = (
    "A share holds jobs of one workload on two chips against each other: same model, sequence length, precision, task. "
    f"A job's first minutes don't count ({FIRST_STEPS} steps or {FIRST_S // 60} min, whichever is longer); an interval "
    f"needs {INTERVAL_MIN} minutes of steps more. The figures above are live meanwhile."
)


def why_no_share(chip: Chip, weighed: Weighed, now_ms: int) -> str:
    """One sentence on a chip without a ratio."""
    if not weighed.is_read:
        return "asking for its share"
    if not chip.name:
        return "a chip of no known name: held against nothing"
    wait_s = _least_wait_s([chip], weighed, now_ms)
    if wait_s is not None:
        return f"{_soon(wait_s)}: the first minutes of its jobs don't count"
    if chip.share is not None and chip.share["reason"]:
        return text_of(chip.share["reason"])
    if weighed.jobs is None:
        return weighed.fault or "no share is kept of it; asking for its jobs"
    return weighed.fault or _why_none_kept(chip, weighed)


def _why_none_kept(chip: Chip, weighed: Weighed) -> str:
    """What the jobs of now say, where the collector has said nothing of the chip."""
    mine, theirs = _sides(chip, weighed)
    for name, jobs in ((chip.name, mine), (weighed.reference, theirs)):
        if not jobs:
            return f"no {chip.origin} job runs on {name}"
        if not _workloads(jobs):
            return f"what the jobs on {name} train isn't known{_absent(jobs)}"
    if not _workloads(mine) & _workloads(theirs):
        return f"no workload runs on both: {chip.name} has {_some(mine)}; {weighed.reference} has {_some(theirs)}"
    return "the collector has not weighed it yet: it does so once a minute"


def explain_none(chips: Sequence[Chip], weighed: Weighed, now_ms: int) -> list[str]:
    """What a share needs, where no chip has one; the first sentence is the news."""
    wait_s = _least_wait_s([chip for chip in chips if not chip.is_reference], weighed, now_ms)
    if not weighed.is_read or (weighed.jobs is None and not weighed.fault):
        news = "Asking for shares and jobs."
    elif weighed.fault:
        news = f"No share yet: {weighed.fault}."
    elif wait_s is not None:
        news = f"No share yet: {_soon(wait_s)}."
    elif not weighed.jobs:
        news = "No share yet: no job runs here."
    elif any(set.intersection(*map(_workloads, _sides(chip, weighed))) for chip in chips if not chip.is_reference):
        news = "No share yet: the collector weighs what has run once a minute."
    elif not _workloads(weighed.jobs):
        news = "No share yet: no job tells what it trains. Start it under `steelyard-agent run -- python train.py`."
    else:
        news = f"No share yet: no workload runs on {weighed.reference} and on another chip."
    return [news, _RULE]


def _sides(chip: Chip, weighed: Weighed) -> tuple[list[Row], list[Row]]:
    """The jobs that run on the chip, and on the reference."""
    mine, theirs = (_jobs_on(weighed.jobs or (), name, chip.origin) for name in (chip.name, weighed.reference))
    return mine, theirs


def _least_wait_s(chips: Iterable[Chip], weighed: Weighed, now_ms: int) -> float | None:
    """Seconds until the first ratio of any of them; None where none is on its way, or should have come."""
    waits = [
        _wait_s(*_sides(chip, weighed), workload, now_ms)
        for chip in chips
        if chip.name
        for workload in set.intersection(*map(_workloads, _sides(chip, weighed)))
    ]
    return min((wait_s for wait_s in waits if wait_s > -_KEPT_S), default=None)


def _jobs_on(jobs: Iterable[Row], chip: str, origin: str) -> list[Row]:
    return [job for job in jobs if job["origin"] == origin and list(job["chips"] or ()) == [chip]]


def _workloads(jobs: Iterable[Row]) -> set[str]:
    return {str(job["workload"]) for job in jobs if job["workload"]}


def _wait_s(mine: Sequence[Row], theirs: Sequence[Row], workload: str, now_ms: int) -> float:
    """Seconds until both sides have a minute that counts; below 0 where they should have one."""
    return max(min(_ready_s(job) for job in jobs if job["workload"] == workload) for jobs in (mine, theirs)) - (
        now_ms / 1000
    )


def _ready_s(job: Row) -> float:
    since = job["since"]
    began_s = since.timestamp() if isinstance(since, datetime) else 0.0
    return began_s + max(FIRST_S, FIRST_STEPS * (job["step_p50_s"] or 0.0)) + _KEPT_S


def _soon(wait_s: float) -> str:
    return "first ratio any minute now" if wait_s < 60 else f"first ratio in about {duration(max(120.0, wait_s))}"


def _absent(jobs: Sequence[Row]) -> str:
    told = next((text_of(job["tokens_absent"]) for job in jobs if job["tokens_absent"]), "")
    return f": {told}" if told else ""


def _some(jobs: Iterable[Row]) -> str:
    names = sorted(_workloads(jobs))
    more = len(names) - _MOST_WORKLOADS
    return ", ".join(names[:_MOST_WORKLOADS]) + (f" and {more} more" if more > 0 else "")
