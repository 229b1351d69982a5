"""One job as a screen of text: how it stands, its figures, where its time went, and what to look at."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from steelyard_proto.units import format_value
from steelyard_tui.job.findings import by_profile, clock, counted, findings
from steelyard_tui.job.page import JobPage, Row
from steelyard_tui.present.figures import chip_name, count, duration, text_of
from steelyard_tui.present.glyphs import Glyphs
from steelyard_tui.present.job_profiles import profile_lines
from steelyard_tui.present.line import Line, Span, fit, width_of

STATE_TONES: Final = {"running": "good", "hung": "bad", "idle but held": "warn", "lost": "warn"}
_LABEL: Final = 18
_LEAST_COLUMN: Final = 12
_MOST_EVENTS: Final = 4
_MOST_STRAGGLERS: Final = 4
_MOST_GAPS: Final = 2
_MOST_NODES: Final = 6
_MOST_JOBS: Final = 6
ORIGINS: Final = {"simulated": "SIMULATED: no such job exists", "replayed": "REPLAYED: recorded before"}


def job_lines(page: JobPage, width: int, glyphs: Glyphs, *, has_profiles: bool = True) -> list[Line]:
    """The page, wrapped to a width.

    Args:
        page: the job.
        width: cells of a line; tables may be wider where a job has many kinds of devices.
        glyphs: of the terminal.
        has_profiles: with what its profiles say; without where that stands beside the page.
    """
    return [
        *_head(page, width, glyphs),
        (),
        *_figures(page, width, glyphs),
        *_wrapped("time went", _time_text(page), width),
        *_wrapped("waited for", _waited_text(page), width),
        (),
        *_stragglers(page, width),
        *_happened(page, width, glyphs),
        *(profile_lines(page, width, glyphs) if has_profiles else ()),
        *_look_at(page, width, glyphs),
    ]


def _head(page: JobPage, width: int, glyphs: Glyphs) -> Iterator[Line]:
    job = page.job
    state = page.state
    line: list[Span] = [("job ", "quiet"), (text_of(job["job"]), "strong")]
    if job["name"]:
        line.append((f" {text_of(job['name'])}", "ink"))
    line.append((f"  {state.upper()}", STATE_TONES.get(state, "strong")))
    if job["state_since"] is not None:
        ago = duration(page.read_at.timestamp() - job["state_since"].timestamp())
        line.append((f" since {_moment(job['state_since'], page.read_at)} ({ago})", "ink"))
    yield tuple(line)
    if note := ORIGINS.get(text_of(job["origin"])):
        yield ((f"{glyphs.warn} {note}", "warn"),)
    yield from _wrapped("", ", ".join(_about(page)), width)
    yield from _wrapped("", _places(page), width)
    began = (
        "began at a time that nobody told" if job["since"] is None else f"began {_moment(job['since'], page.read_at)}"
    )
    last = "no step told" if job["last_step"] is None else f"last step {_moment(job['last_step'], page.read_at)}"
    end = f", last told of {_moment(job['last_seen'], page.read_at)}" if page.has_ended and job["last_seen"] else ""
    yield from _wrapped("", f"{began}, {last}{end}; as of {page.read_at:%Y-%m-%d %H:%M:%S} UTC", width, "quiet")


def _about(page: JobPage) -> Iterator[str]:
    job = page.job
    yield f"by {text_of(job['scheduler'])}" if job["scheduler"] else "by no scheduler that is known"
    if job["user"]:
        yield f"user {text_of(job['user'])}"
    if job["run"] != job["job"]:
        others = [row["job"] for row in page.run_jobs if row["job"] != job["job"]]
        also = f" (also job{'s' * (len(others) > 1)} {text_of(others[:_MOST_JOBS])})" if others else ""
        yield f"run {text_of(job['run'])}{also}"
    told = [text_of(job[name]) for name in ("model", "sequence_length", "precision", "task") if job[name] is not None]
    yield f"trains {' | '.join(told)}" if told else "what it trains was never told"


def _places(page: JobPage) -> str:
    chips: dict[str, int] = {}
    for row in page.devices:
        name = chip_name(row["chip"], row["vendor"])
        chips[name] = chips.get(name, 0) + 1
    nodes = sorted({text_of(row["node"]) for row in page.devices if row["node"]})
    if not page.devices:
        return "its devices and nodes aren't known: no allocation was told"
    shown = ", ".join(nodes[:_MOST_NODES]) + (
        f" and {len(nodes) - _MOST_NODES} more" if len(nodes) > _MOST_NODES else ""
    )
    devices = " and ".join(f"{number} {name}" for name, number in sorted(chips.items()))
    ranks = {row["rank"] for row in page.ranks if row["rank"] is not None}
    told = f"{counted(len(ranks), 'rank')} told its last steps" if ranks else "no rank told a step of late"
    world = f", world size {page.job['world_size']}" if page.job["world_size"] else ""
    return f"{counted(len(nodes), 'node')} ({shown}), {devices}{world}; {told}"


def _figures(page: JobPage, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """A column a kind of device and time; a figure that is absent everywhere says why."""
    columns = [("newest minutes", row) for row in page.live if row["tokens_per_s_device"] is not None]
    columns += [(f"{chip_name(row['chip'], row['vendor'])}, all of it", row) for row in page.figures]
    job = page.job
    yield _row("steps", [count(job["steps"]) if job["steps"] else "none counted yet" if page.has_told else "none told"])
    origin = f" ({job['tokens_origin']})" if job["tokens_origin"] else ""
    absent = f"{glyphs.absent} {text_of(job['tokens_absent']) or 'nobody told them'}"
    yield _row("tokens", [absent if job["tokens"] is None else f"{count(job['tokens'])}{origin}"])
    if losses := [row["loss"] for row in page.ranks if row["loss"] is not None]:
        yield _row("loss", [f"{sum(losses) / len(losses):.4g}"])
    if not columns:
        yield _row("", ["no figures: neither steps nor an allocation were told of it"])
        return
    widths = [max(_LEAST_COLUMN, width_of(title) + 2) for title, _ in columns]
    if len(columns) > 1:
        yield _row("", [title.rjust(cell) for (title, _), cell in zip(columns, widths, strict=True)], "head")
    for label, name, form in _SHOWN:
        cells = [form(row, name, glyphs).rjust(cell) for (_, row), cell in zip(columns, widths, strict=True)]
        if name == "cost_per_mtoken" and all(row[name] is None for _, row in columns):
            continue
        note = _note(name, [row for _, row in columns], has_steps=bool(job["steps"]))
        if not note or _LABEL + sum(widths) + 2 + width_of(note) <= width:
            yield _row(label, [*cells, f"  {note}" if note else ""])
        else:
            yield _row(label, cells)
            yield from _wrapped(" ", note, width, "quiet")
    rows: tuple[Any, ...] = (("step p50", job["step_p50_s"]), ("step p99", job["step_p99_s"]))
    for label, value in rows:
        yield _row(label, [format_value(value, "s").replace("–", glyphs.absent).rjust(widths[-1])])


def _rate(row: Row, name: str, glyphs: Glyphs) -> str:
    return _number(row.get(name), "count", glyphs)


def _percent(row: Row, name: str, glyphs: Glyphs) -> str:
    value = row.get(name)
    return glyphs.absent if value is None else f"{100 * value:.1f}%"


def _energy(row: Row, name: str, glyphs: Glyphs) -> str:
    value = row.get(name)
    return _number(None if value is None else 1000 * value, "mJ", glyphs)


def _number(value: float | None, unit: str, glyphs: Glyphs) -> str:
    return glyphs.absent if value is None else format_value(value, unit)


_SHOWN: Final = (
    ("tokens/s/device", "tokens_per_s_device", _rate),
    ("MFU", "mfu", _percent),
    ("OFU", "ofu", _percent),
    ("tokens/J", "tokens_per_j", _rate),
    ("energy", "energy_j", _energy),
    ("cost/Mtoken", "cost_per_mtoken", _rate),
)


def _note(name: str, rows: Sequence[Row], *, has_steps: bool) -> str:
    """What a figure counts, or why there is none."""
    given = next((row for row in rows if row.get(name) is not None), None)
    row = given or rows[-1]
    if name == "mfu":
        return f"of {text_of(row['mfu_basis'])}" if given else text_of(row["mfu_absent"])
    if name == "ofu":
        validated = "validated" if row["ofu_validated"] else "not validated"
        return f"by counters, {validated} on this chip" if given else text_of(row["ofu_absent"])
    if name == "tokens_per_j":
        if given:
            return "the devices' energy, without the host's"
        is_covered = (row.get("energy_coverage") or 0.0) >= 0.5
        return "no tokens" if is_covered else "its energy counters cover less than half of its time"
    if name == "energy_j" and given and row.get("energy_coverage") is not None:
        return f"over {row['energy_coverage']:.0%} of its time"
    if name == "cost_per_mtoken":
        return text_of(row.get("currency"))
    if name == "tokens_per_s_device" and not given:
        why = ": a process's first 20 steps or 5 minutes don't count" if has_steps else ""
        return f"no tokens of productive steps{why}"
    return ""


def _time_text(page: JobPage) -> str:
    told = [row for row in page.goodput if row["absent"] is None]
    if not told:
        return f"not known: {text_of(page.goodput[0]['absent']) if page.goodput else 'its allocation was not told'}"
    wall = sum(row["wall_s"] for row in told)
    parts = (
        ("in productive steps (goodput)", "productive_s"), ("checkpoints", "checkpoint_s"),
        ("evaluations", "evaluate_s"), ("first steps", "first_steps_s"), ("outside steps", "outside_steps_s"),
    )  # fmt: skip
    shares = ((title, sum(row[name] for row in told) / wall) for title, name in parts)
    return ", ".join(f"{min(1.0, share):.1%} {title}" for title, share in shares)


def _waited_text(page: JobPage) -> str:
    gaps = sorted(row["host_gap_share"] for row in page.ranks if row["host_gap_share"] is not None)
    if not gaps:
        return "not known: its steps don't tell the time between a step's end and the next forward (the hook does)"
    middle, most = gaps[len(gaps) // 2], gaps[-1]
    spread = f", {most:.0%} at the rank where it is longest" if len(gaps) > 1 and most - middle >= 0.01 else ""
    return f"data, or its host for its devices: {middle:.0%} of its last minutes' step time{spread}"


def _stragglers(page: JobPage, width: int) -> Iterator[Line]:
    rows = page.stragglers
    if not rows:
        return
    for row in rows[:_MOST_STRAGGLERS]:
        gain = "gain not known" if row["gain_ratio"] is None else f"gain {row['gain_ratio']:.1%}"
        where = f"rank {row['rank']}" if row["rank"] is not None else f"device {row['device_id']}"
        how = f"{row['kind']} by {row['cause']}, {row['slow_ratio']:.1%} slower in that, {gain}; {by_profile(row)}"
        yield from _wrapped("straggler", f"{where} on {text_of(row['node'])}, {how}", width)
    yield ()


def _happened(page: JobPage, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """Events and losses of its nodes, the worst first."""
    for row in page.events[:_MOST_EVENTS]:
        tone = {"error": "bad", "warning": "warn"}.get(text_of(row["severity"]), "quiet")
        text = f"{_moment(row['ts'], page.read_at)} {text_of(row['node'])} {row['severity']}: {text_of(row['text'])}"
        yield from _wrapped("event", text, width, tone)
    if len(page.events) > _MOST_EVENTS:
        yield _row("", [f"{len(page.events) - _MOST_EVENTS} events more; --json has them"], "quiet")
    for row in page.gaps[:_MOST_GAPS]:
        span = f"{clock(row['from_ts'])} to {clock(row['to_ts'])}"
        yield from _wrapped(
            "lost data", f"{text_of(row['node'])} {row['kind']}, {span}: {text_of(row['reason'])}", width
        )
    if len(page.gaps) > _MOST_GAPS:
        yield _row("", [f"{len(page.gaps) - _MOST_GAPS} ranges more; --json has them"], "quiet")
    if page.events or page.gaps:
        yield ()


def _look_at(page: JobPage, width: int, glyphs: Glyphs) -> Iterator[Line]:
    found = findings(page)
    yield (("what to look at", "head"),)
    if not found:
        yield (("  nothing stands out", "quiet"),)
    for finding in found:
        lines = textwrap.wrap(finding.text, max(20, width - 4)) or [""]
        yield ((f"  {glyphs.warn}", "warn"), (f" {lines[0]}", "ink"))
        yield from (((f"    {line}", "ink"),) for line in lines[1:])


def _row(label: str, cells: Iterable[str], tone: str = "ink") -> Line:
    return ((fit(label, _LABEL), "quiet"), ("".join(cells).rstrip(), tone))


def _wrapped(label: str, text: str, width: int, tone: str = "ink") -> Iterator[Line]:
    """A labelled text; without a label it begins at the margin."""
    indent = _LABEL if label else 0
    for number, line in enumerate(textwrap.wrap(text, max(20, width - indent))):
        yield (((fit(label if number == 0 else "", indent), "quiet"),) if indent else ()) + ((line, tone),)


def _moment(moment: datetime, now: datetime) -> str:
    """The time, with the day where it is another one; UTC as everywhere."""
    return f"{moment:%H:%M:%S}" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M}"
