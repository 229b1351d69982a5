"""What to look at: plain sentences about a job, each by one rule over its page. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final

from steelyard_tui.job.page import JobPage, Row
from steelyard_tui.present.figures import chip_name, duration, text_of

# Below it a device does nothing, above it something runs on it all the time.
IDLE_BUSY: Final = 0.02
FULL_BUSY: Final = 0.9
# A rank has fallen silent before the others by so many steps, and by so much at the least.
SILENT_STEPS: Final = 2.0
SILENT_S: Final = 5.0
# Shares of time that are worth a look.
THROTTLED: Final = 0.05
HOST_GAP: Final = 0.15
CHECKPOINT: Final = 0.05
EVALUATE: Final = 0.05
FIRST_STEPS: Final = 0.1
OUTSIDE_STEPS: Final = 0.1
# Shares of a step's profile that are worth a look.
DATA_WAIT: Final = 0.1
EXPOSED: Final = 0.25
IDLE: Final = 0.2
# Above it a device that waits for its host is not kept busy by it.
HOST_BOUND_BUSY: Final = 0.85
# The driver's verdict from here on: major.
UNWELL: Final = 2.0
LONG_START: Final = timedelta(minutes=10)
_NEAR_END: Final = timedelta(minutes=10)
_MOST_NAMED: Final = 3
_THROTTLES: Final = {
    "throttled_power": "the power cap",
    "throttled_thermal": "heat",
    "throttled_hw": "the hardware's own protection",
}
# By how much a slow rank's window differs from its peers', for each cause.
_EXCESS: Final = {
    "clock": "compute {:+.1%} against its peers'",
    "host": "idle {:+.1%} of the time against its peers'",
    "link": "exposed collectives {:+.1%} of the time against other groups'",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at.

    Attributes:
        rule: its name, for programs.
        text: for people.
    """

    rule: str
    text: str


def findings(page: JobPage) -> list[Finding]:
    """What the rules find, the most telling first; empty where nothing stands out."""
    return [Finding(rule, text) for rule, tell in _RULES.items() for text in tell(page)]


def _state(page: JobPage) -> Iterator[str]:
    job = page.job
    if page.state == "hung":
        yield (
            f"hung since {clock(job['last_step'])} ({_for(page, job['last_step'])}): no step for longer than 5 min and "
            "10 of its longest steps, while its processes live"
        )
    elif page.state == "idle but held":
        power = "" if not job["power_w"] else f", drawing {job['power_w']:.0f} W"
        yield (
            f"holds {counted(job['devices'], 'device')} and does nothing since {clock(job['state_since'])} "
            f"({_for(page, job['state_since'])}){power}: end it, or start its work"
        )
    elif page.state == "lost":
        yield (
            f"nobody said that it ended: its agents last told of it at {clock(job['last_seen'])}; "
            "a node that went down, or an agent that was stopped with it"
        )
    elif page.state == "starting" and job["since"] is not None and page.read_at - job["since"] > LONG_START:
        yield (
            f"no step in {_for(page, job['since'])}: it loads, compiles or waits for its other ranks; "
            "if it does train, its steps aren't told (steelyard-agent run, or a log: docs/training.md)"
        )


def _silent_ranks(page: JobPage) -> Iterator[str]:
    """The ranks that told their last step before the others: where a collective call hangs, they didn't reach it."""
    if page.state not in ("hung", "lost", "finished") or len(page.ranks) < 2:
        return
    last = [row["last_step_at"] for row in page.ranks]
    newest = max(last)
    step_s = page.job["step_p50_s"] or 0.0
    border = timedelta(seconds=max(SILENT_S, SILENT_STEPS * step_s))
    early = [row for row in page.ranks if newest - row["last_step_at"] > border]
    # Where most fell silent early, it is the few that went on that are odd, and no rank is to blame.
    if not early or 2 * len(early) > len(page.ranks):
        return
    for row in early[:_MOST_NAMED]:
        before = (newest - row["last_step_at"]).total_seconds()
        yield (
            f"{_rank(row)} told its last step at {clock(row['last_step_at'])}, {duration(before)} before the others"
            f"{_busy_of(page, row['device_id'])}"
        )
    if len(early) > _MOST_NAMED:
        yield f"and {len(early) - _MOST_NAMED} more ranks fell silent before the others"


def _devices_now(page: JobPage) -> Iterator[str]:
    """Nodes and devices that say nothing, and what the rest does while nothing gets on."""
    yield from _gone_nodes(page)
    if page.state == "running":
        yield from _unused(page)
    if page.state not in ("hung", "idle but held"):
        return
    told = [row for row in page.devices if row["busy"] is not None]
    idle = [row for row in told if row["busy"] < IDLE_BUSY]
    full = [row for row in told if row["busy"] >= FULL_BUSY]
    if told and len(idle) == len(told):
        if page.state == "hung":
            devices = counted(len(told), "device")
            yield f"all of its {devices} are idle: its ranks wait on their hosts (data, storage, a lock)"
    elif idle and 2 * len(idle) <= len(told):
        for row in idle[:_MOST_NAMED]:
            yield f"{_device(row)} is idle while {counted(len(told) - len(idle), 'other')} of the job work"
    elif page.state == "hung" and told and len(full) == len(told):
        yield "all of its devices are busy and no step ends: they wait inside a collective call, or one step never ends"


def _unused(page: JobPage) -> Iterator[str]:
    """Over minutes and not at this moment: between steps every device is idle."""
    told = {key: row["busy"] for key, row in page.activity.items() if row["busy"] is not None}
    idle = [row for row in page.devices if told.get(row["device_id"], 1.0) < IDLE_BUSY]
    if idle and 2 * len(idle) <= len(told):
        names = _named([_device(row) for row in idle])
        working = counted(len(told) - len(idle), "other")
        yield f"{names} did nothing in its last minutes, {working} of the job worked"


def _gone_nodes(page: JobPage) -> Iterator[str]:
    by_node: dict[str, list[Row]] = {}
    for row in page.devices:
        by_node.setdefault(text_of(row["node"]) or "an unknown node", []).append(row)
    for node, rows in sorted(by_node.items()):
        silent = [row for row in rows if row["state"] == "silent"]
        if silent and len(silent) == len(rows) and (page.state == "lost" or not page.has_ended):
            ages = [row["age_s"] for row in silent if row["age_s"] is not None]
            since = f" for {duration(min(ages))}" if ages else ""
            yield f"{node} has sent no sample{since}: the node or its agent is down"
        elif silent and not page.has_ended:
            yield f"{_named([_device(row) for row in silent])} sent no sample of late, others of {node} did"


def _stragglers(page: JobPage) -> Iterator[str]:
    for row in page.stragglers[:_MOST_NAMED]:
        how = f"{row['kind']} since {clock(row['since'])}" if row["kind"] == "became slow" else text_of(row["kind"])
        gain = "" if row["gain_ratio"] is None else f"; like the others, steps would be {row['gain_ratio']:.1%} shorter"
        slower = f"{row['slow_ratio']:.1%} slower in that"
        yield f"{_rank(row)} {how} by its {row['cause']}: {slower}{gain}; {by_profile(row)}"


def by_profile(row: Row) -> str:
    """What the next profile window of a slow rank says of its cause."""
    if row["confirmed"] is None:
        return f"its cause is not confirmed: {text_of(row['confirmed_absent'])}"
    how = _EXCESS[text_of(row["cause"])].format(row["profile_excess"])
    if row["cause"] == "link":
        return f"its group's next profile windows {'confirm' if row['confirmed'] else 'refute'} that: {how}"
    return f"its next profile window {'confirms' if row['confirmed'] else 'refutes'} that: {how}"


def _throttled(page: JobPage) -> Iterator[str]:
    for column, cause in _THROTTLES.items():
        held = {
            key: row[column]
            for key, row in page.activity.items()
            if row[column] is not None and row[column] >= THROTTLED
        }
        if not held:
            continue
        worst = max(held, key=lambda key: held[key])
        name = next((_device(row) for row in page.devices if row["device_id"] == worst), f"device {worst}")
        others = f", {counted(len(held) - 1, 'more device')} less" if len(held) > 1 else ""
        yield f"{cause} held the clock of {name} down for {held[worst]:.0%} of its last minutes{others}"


def _unwell(page: JobPage) -> Iterator[str]:
    for device in page.devices:
        row = page.activity.get(device["device_id"])
        if row is None:
            continue
        if row["health"] is not None and row["health"] >= UNWELL:
            yield f"{_device(device)}: its driver calls it unwell (health {row['health']:.0f} of 3)"
        if row["ecc_uncorrected_per_s"]:
            yield f"{_device(device)}: memory errors that could not be corrected in its last minutes"


def _host(page: JobPage) -> Iterator[str]:
    shares = [row["host_gap_share"] for row in page.ranks if row["host_gap_share"] is not None]
    if not shares:
        return
    share = median(shares)
    if share < HOST_GAP:
        return
    busy = [row["busy"] for row in page.activity.values() if row["busy"] is not None]
    text = f"{share:.0%} of its step time passes between a step's end and the next forward"
    if busy and (mean := sum(busy) / len(busy)) < HOST_BOUND_BUSY:
        yield f"host bound: {text}, and its devices are busy for {mean:.0%} only; look at its data loading"
    else:
        yield f"{text}: it waits for data, or its host for its devices"


def _profile(page: JobPage) -> Iterator[str]:
    """Of all windows that were read; they reach back for hours where one rank is recorded now and then."""
    sums: Counter[tuple[str, str]] = Counter()
    for row in page.profile_parts:
        sums[str(row["layer"]), text_of(row["class"])] += int(row["ns"])
    total = sum(sums.values())
    if not total:
        return
    windows = counted(len({row["profile"] for row in page.profile_parts}), "profile")
    waits = sum(ns for (_, name), ns in sums.items() if name == "data wait") / total
    if waits >= DATA_WAIT:
        yield (
            f"in {waits:.0%} of its steps' time nothing runs while its host waits for data ({windows}): "
            "its data loader is slow"
        )
    idle = sums["idle", "idle"] / total
    if idle >= IDLE:
        yield (
            f"in {idle:.0%} of its steps' time nothing runs ({windows}): "
            "its host doesn't launch work fast enough, or waits"
        )
    exposed = [(ns, name) for (layer, name), ns in sums.items() if layer == "communication"]
    share = sum(ns for ns, _ in exposed) / total
    if share >= EXPOSED:
        yield (
            f"{share:.0%} of its steps' time is communication that compute doesn't hide ({windows}), "
            f"most of it {max(exposed)[1]}"
        )


def _lost_time(page: JobPage) -> Iterator[str]:
    rows = [row for row in page.goodput if row["absent"] is None]
    wall = sum(row["wall_s"] for row in rows)
    # One without a productive step has told so already, or warms up.
    if not any(row["productive_s"] for row in rows):
        return
    told = (
        ("checkpoint_s", CHECKPOINT, "goes into checkpoints"),
        ("evaluate_s", EVALUATE, "goes into evaluations"),
        ("first_steps_s", FIRST_STEPS, "are first steps: a short job, or one that restarts often"),
        ("outside_steps_s", OUTSIDE_STEPS, "lies outside any step: start, input, restarts, waiting"),
    )
    for column, border, where in told:
        share = sum(row[column] for row in rows) / wall
        if share >= border:
            yield f"{share:.0%} of its device time {where}"


def _events(page: JobPage) -> Iterator[str]:
    errors = [row for row in page.events if row["severity"] == "error"]
    if page.state in ("hung", "finished", "lost"):
        end = page.job["last_step"] if page.state == "hung" else page.job["last_seen"]
        near = [row for row in errors if end is not None and abs(row["ts"] - end) <= _NEAR_END]
        for row in near[:_MOST_NAMED]:
            yield f"near its end, {clock(row['ts'])} on {text_of(row['node'])}: {text_of(row['text'])}"
        errors = [row for row in errors if row not in near]
    for (node, code), count in Counter((text_of(row["node"]), row["code"]) for row in errors).most_common(_MOST_NAMED):
        first = next(row for row in errors if (text_of(row["node"]), row["code"]) == (node, code))
        often = "" if count == 1 else f" ({count} times)"
        yield f"error on {node}{often}: {text_of(first['text'])}"


def _gaps(page: JobPage) -> Iterator[str]:
    kinds = Counter((text_of(row["node"]), text_of(row["reason"])) for row in page.gaps)
    for (node, reason), count in kinds.most_common(_MOST_NAMED):
        verb = "is" if count == 1 else "are"
        yield f"{counted(count, 'range')} of what {node} told {verb} lost ({reason}): figures leave those times out"


def _untold(page: JobPage) -> Iterator[str]:
    job = page.job
    if not job["steps"] and not page.has_told and page.state != "starting":
        yield "it told no steps: run it under `steelyard-agent run`, or let its log be followed (docs/training.md)"
    elif job["steps"] and job["tokens"] is None:
        why = f" ({text_of(job['tokens_absent'])})" if job["tokens_absent"] else ""
        yield f"its tokens aren't known{why}: declare STEELYARD_TOKENS_PER_STEP in its environment"


_RULES: Final[dict[str, Callable[[JobPage], Iterator[str]]]] = {
    "state": _state,
    "silent rank": _silent_ranks,
    "device": _devices_now,
    "straggler": _stragglers,
    "throttled": _throttled,
    "unwell": _unwell,
    "event": _events,
    "host": _host,
    "profile": _profile,
    "lost time": _lost_time,
    "gap": _gaps,
    "untold": _untold,
}


def clock(moment: object) -> str:
    """A moment as people read it: the time, in UTC as everywhere; a dash where it is absent."""
    return f"{moment:%H:%M:%S}" if hasattr(moment, "hour") else "an unknown time"


def _for(page: JobPage, moment: object) -> str:
    return (
        duration(page.read_at.timestamp() - moment.timestamp()) if hasattr(moment, "timestamp") else "an unknown time"
    )


def _rank(row: Row) -> str:
    node = text_of(row["node"]) or "an unknown node"
    if row["rank"] is not None:
        return f"rank {row['rank']} (node {node})"
    return f"process {row['pid']} of node {node}" if row.get("pid") else f"a device of node {node}"


def _device(row: Row) -> str:
    return f"{text_of(row['node'])}/{row['device_index']} ({chip_name(row['chip'], row['vendor'])})"


def _busy_of(page: JobPage, device_id: object) -> str:
    row = next((row for row in page.devices if device_id is not None and row["device_id"] == device_id), None)
    if row is None or row["busy"] is None or page.has_ended:
        return ""
    return f"; its device is busy for {row['busy']:.0%} now"


def counted(number: object, noun: str) -> str:
    """1 node, 2 nodes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
