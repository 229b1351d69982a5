"""Everything that the store knows of one job, read by the public views: while it runs, and days after it ended."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from steelyard_proto.errors import SteelyardError
from steelyard_tui.present.figures import text_of
from steelyard_tui.queries import read_query

if TYPE_CHECKING:
    from steelyard_tui.client import Client

Row = Mapping[str, Any]

ENDED: Final = frozenset({"finished", "lost"})
# What its ranks and devices did last is told over this time, or over so many of its longest steps.
_LAST: Final = timedelta(minutes=10)
_LAST_STEPS: Final = 20
_MOST_LAST: Final = timedelta(hours=2)
# An event belongs to a job's end also where the node told it a little later.
_AFTERWARDS: Final = timedelta(minutes=5)
_NEAREST: Final = 5
_ALIKE: Final = 0.5


class NoSuchJob(SteelyardError):
    """Nobody told of a job of this name."""

    exit_code = 7


@dataclass(frozen=True, slots=True)
class JobPage:
    """One job at one moment; the rows are those of the queries job_*.sql.

    Attributes:
        read_at: the collector's clock.
        job: what it is and how it stands.
        figures: since its start, by kind of device.
        live: over the newest minutes, by kind of device; empty for a job that has ended.
        goodput: where its device-seconds went, by kind of device.
        devices: that it holds or held, and what they do now.
        ranks: what each process told in the job's last minutes; the one that fell silent first stands first.
        activity: of its devices in the job's last minutes, by device_id.
        stragglers: ranks that hold it up now.
        events: of its nodes and devices, the worst first.
        gaps: of its nodes, that are lost for good.
        profiles: windows in which it was profiled, the newest first.
        profile_parts: of those windows, by class of operators.
        profile_operators: those with the most time of each class.
        run_jobs: all jobs of its run, the newest first; empty where the run is this job alone.
    """

    read_at: datetime
    job: Row
    figures: tuple[Row, ...] = ()
    live: tuple[Row, ...] = ()
    goodput: tuple[Row, ...] = ()
    devices: tuple[Row, ...] = ()
    ranks: tuple[Row, ...] = ()
    activity: Mapping[int, Row] = field(default_factory=dict)
    stragglers: tuple[Row, ...] = ()
    events: tuple[Row, ...] = ()
    gaps: tuple[Row, ...] = ()
    profiles: tuple[Row, ...] = ()
    profile_parts: tuple[Row, ...] = ()
    profile_operators: tuple[Row, ...] = ()
    run_jobs: tuple[Row, ...] = ()

    @property
    def state(self) -> str:
        """Starting, running, hung, idle but held, finished or lost."""
        return str(self.job["state"])

    @property
    def has_told(self) -> bool:
        """Whether it told any step, also where none is counted yet."""
        return bool(self.ranks or self.job["steps"] or any(row["first_steps_s"] for row in self.goodput))

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to come."""
        return self.state in ENDED


def read_page(client: "Client", job: str) -> JobPage:
    """Reads a job's page; of a run it is the page of its newest job.

    Raises:
        NoSuchJob: with the nearest names, or the newest.
        StoreError: the collector refuses a query.
        TransportError: the collector can't be reached.
    """
    run_jobs: tuple[Row, ...] = ()
    found = _found(client, job)
    if not found and (run_jobs := _rows(client, "job_of_run", job)):
        job = str(run_jobs[0]["job"])
        found = _found(client, job)
    if not found:
        raise NoSuchJob(
            _unknown(job, [str(row["job"]) for row in client.sql(read_query("job_names")).table.to_pylist()])
        )
    row = found[0]
    if row["run"] != job and not run_jobs:
        run_jobs = _rows(client, "job_of_run", row["run"])
    read_at: datetime = row["read_at"]
    has_ended = row["state"] in ENDED
    end = (row["last_seen"] or read_at) if has_ended else read_at
    last = _last(row["step_p99_s"])
    activity = _rows(client, "job_activity", job, *_window(end - last, end))
    ranks = _rows(client, "job_ranks", job, *_window((row["last_step"] or end) - last, end + _AFTERWARDS))
    profiles = _rows(client, "job_profiles", job)
    recorded = _window(profiles[-1]["ts"], profiles[0]["ts"]) if profiles else ()
    return JobPage(
        read_at=read_at,
        job=_to_the_second(row, ranks),
        figures=_rows(client, "job_figures", job),
        live=() if has_ended else _rows(client, "job_live", job),
        goodput=_rows(client, "job_goodput", job),
        devices=_rows(client, "job_devices", job),
        ranks=ranks,
        activity={told["device_id"]: told for told in activity},
        stragglers=() if has_ended else _rows(client, "job_stragglers", job),
        events=_rows(client, "job_events", job, *_window(row["since"] or end - last, end + _AFTERWARDS)),
        gaps=_rows(client, "job_gaps", job, *_window(row["since"] or end - last, end)),
        profiles=profiles,
        profile_parts=_rows(client, "job_profile_parts", job, *recorded) if recorded else (),
        profile_operators=_rows(client, "job_profile_operators", job, *recorded) if recorded else (),
        run_jobs=run_jobs,
    )


def _found(client: "Client", job: str) -> tuple[Row, ...]:
    return _rows(client, "job_now", job) or _rows(client, "job_past", job)


def _rows(client: "Client", query: str, job: str, *window: tuple[str, datetime]) -> tuple[Row, ...]:
    parameters = {"job": job} | {name: str(round(1000 * moment.timestamp())) for name, moment in window}
    return tuple(client.sql(read_query(query), parameters).table.to_pylist())


def _window(begin: datetime, end: datetime) -> tuple[tuple[str, datetime], tuple[str, datetime]]:
    return ("from_ms", begin), ("to_ms", end)


def _to_the_second(row: Row, ranks: Sequence[Row]) -> Row:
    """A job's totals know the minute of its last step, its ranks the moment while their steps are kept."""
    if not ranks:
        return row
    last: datetime = max(rank["last_step_at"] for rank in ranks)
    is_since = row["state_since"] is not None and row["state_since"] == row["last_step"]
    return {**row, "last_step": last, "state_since": last if is_since else row["state_since"]}


def _last(step_p99_s: float | None) -> timedelta:
    return max(_LAST, min(_MOST_LAST, timedelta(seconds=_LAST_STEPS * (step_p99_s or 0.0))))


def _unknown(job: str, known: Sequence[str]) -> str:
    if not known:
        return (
            f"no job {job!r}: nobody has told of any job yet; `steelyard-agent doctor` on a node says what is missing"
        )
    inside = [name for name in known if job and (job in name or name in job)]
    near = list(dict.fromkeys([*inside, *difflib.get_close_matches(job, known, _NEAREST, _ALIKE)]))[:_NEAREST]
    if near:
        return f"no job {job!r}; the nearest are {text_of(near)}"
    return f"no job {job!r}; the newest are {text_of(known[:_NEAREST])}"
