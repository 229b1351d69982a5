"""A recording as text: where its time went, and the operators that it went to."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from steelyard_proto.units import ABSENT

if TYPE_CHECKING:
    from steelyard_traces.profile import Calls, Profile, Rate, Work

_NAME_CELLS: Final = 72
_BY_TITLES: Final = {"operator": "operator", "type": "kernel or type", "core": "core", "call": "call on the host"}
Row = tuple[str, ...]


def profile_lines(profile: "Profile", by: str, top: int, ellipsis: str) -> Iterator[str]:
    """The recording's facts, the step split by class, and the rows of one kind with the most time."""
    yield _headline(profile)
    if profile.rates:
        yield ""
        yield from _rate_lines(profile.rates)
    if profile.rates and not profile.parts:
        return
    yield ""
    yield from aligned([("where the time went", "ms", *_per_step_title(profile), "share"), *_part_rows(profile)])
    if profile.split is not None and profile.split.overlapped_ns:
        yield f"communication hidden behind compute: {_ms(profile.split.overlapped_ns)} ms"
    if profile.unmatched_ns:
        share = profile.unmatched_ns / profile.window_ns
        yield f"unmatched: operators that no class knows, {share:.1%} of the time"
    yield ""
    rows = rows_of(profile, by)
    title = _BY_TITLES[by]
    if rows:
        shown = rows[:top]
        extra = _flops_columns(shown, profile.chip)
        cells = (
            (*_row(row, profile, ellipsis), *more) for row, more in zip(shown, extra[1:], strict=True)
        )  # fmt: skip
        yield from aligned([(*_titles(profile, title, by), *extra[0]), *cells])
    else:
        yield f"no {title} in it"
    if len(rows) > top:
        yield f"{len(rows) - top:,} more; --top {len(rows)} shows all"


def default_by(profile: "Profile") -> str:
    """What is listed where nothing is asked for: operators, or calls where no device worked."""
    return "operator" if profile.operators else "type" if profile.types else "call"


def rows_of(profile: "Profile", by: str) -> Sequence["Work | Calls"]:
    """The rows of one kind."""
    if by == "call":
        return profile.calls
    return {"operator": profile.operators, "type": profile.types, "core": profile.cores}[by]


def _headline(profile: "Profile") -> str:
    facts = [profile.format]
    facts += [profile.chip] if profile.chip else []
    facts += [f"rank {profile.rank}"] if profile.rank else []
    facts += [f"{profile.devices} devices"] if profile.devices > 1 else []
    if profile.rates and not profile.parts:
        return f"{profile.path}: {', '.join(facts)}"
    facts += ["no device: the host's busiest thread"] if not profile.devices else []
    if profile.step_count:
        a_step = _ms(profile.window_ns // profile.step_count // max(profile.devices, 1))
        facts.append(f"{profile.step_count} step{'s' * (profile.step_count > 1)}, {a_step} ms each")
    else:
        facts.append("no steps marked")
    return f"{profile.path}: {', '.join(facts)}"


def _rate_lines(rates: "Sequence[Rate]") -> Iterator[str]:
    has_nodes = any(rate.node for rate in rates)
    head = ("node", "device", "moved", "GB/s", "least", "most")
    rows = [
        (rate.node or ABSENT, str(rate.device), " ".join(filter(None, (rate.link, rate.part, rate.direction))),
         *map(_gb_per_s, (rate.mean_bytes_per_s, rate.min_bytes_per_s, rate.max_bytes_per_s)))
        for rate in rates
    ]  # fmt: skip
    yield from aligned([row if has_nodes else row[1:] for row in (head, *rows)])


def _gb_per_s(bytes_per_s: float | None) -> str:
    return ABSENT if bytes_per_s is None else f"{bytes_per_s / 1e9:,.3f}"


def _per_step_title(profile: "Profile") -> Row:
    return ("ms a step",) if profile.step_count else ()


def _part_rows(profile: "Profile") -> Iterator[Row]:
    for part in profile.parts:
        a_step = (_ms(round(part.duration_ns / profile.step_count)),) if profile.step_count else ()
        yield (part_name(part.layer, part.name), _ms(part.duration_ns), *a_step, _share(part.duration_ns, profile))


def part_name(layer: str, name: str) -> str:
    """A part in words: collectives are `exposed`, since what compute hides is no part of the window."""
    if layer in ("host", "idle"):
        return name
    return {"compute": name, "communication": f"exposed {name}"}.get(layer, layer)


def _titles(profile: "Profile", title: str, by: str) -> Row:
    if by == "call":
        return (title, "class", "count", "self ms", "share", "total ms", "max ms")
    return (title, "class", *(() if by == "core" else ("core",)), "count", "ms", "share", "min ms", "max ms")


def _flops_columns(rows: "Sequence[Work | Calls]", chip: str) -> Sequence[Row]:
    """What was achieved, and its share of the chip's peak; the head first. No columns where no shapes were told."""
    told = [getattr(row, "tflops", None) for row in rows]
    if not any(told):
        return [()] * (len(rows) + 1)
    from steelyard_traces.peaks import peak_tflops

    peaks = [peak_tflops(chip, getattr(row, "precision", "")) for row in rows]
    shares = [f"{tflops / peak:.1%}" if tflops and peak else ABSENT for tflops, peak in zip(told, peaks, strict=True)]
    cells = [(f"{tflops:,.1f}" if tflops else ABSENT, share) for tflops, share in zip(told, shares, strict=True)]
    if set(shares) == {ABSENT}:
        return [("TFLOP/s",), *((tflops,) for tflops, _ in cells)]
    return [("TFLOP/s", "of peak"), *cells]


def _row(row: "Work | Calls", profile: "Profile", ellipsis: str) -> Row:
    name = row.name if len(row.name) <= _NAME_CELLS else row.name[: _NAME_CELLS - 1] + ellipsis
    class_name = row.class_name or ABSENT
    of = sum(one.total_ns for one in profile.cores) if profile.cores else 0
    from_calls = getattr(row, "self_ns", None)
    if from_calls is not None:
        of = sum(call.self_ns for call in profile.calls)
        share = f"{from_calls / of:.1%}" if of else ABSENT
        return (name, class_name, f"{row.count:,}", _ms(from_calls), share, _ms(row.total_ns), _ms(row.max_ns))
    core = getattr(row, "core", "")
    share = f"{row.total_ns / of:.1%}" if of else ABSENT
    cells = (f"{row.count:,}", _ms(row.total_ns), share, _ms(row.min_ns), _ms(row.max_ns))
    return (name, class_name, *cells) if core == row.name else (name, class_name, core, *cells)


def _share(duration_ns: int, profile: "Profile") -> str:
    return f"{duration_ns / profile.window_ns:.1%}" if profile.window_ns else ABSENT


def _ms(duration_ns: int) -> str:
    return f"{duration_ns / 1e6:,.3f}"


def aligned(rows: Sequence[Row]) -> Iterator[str]:
    """Names to the left, figures to the right; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    figures = {i for row in rows[1:] for i, cell in enumerate(row) if i and cell.lstrip("+-")[:1].isdigit()}
    for row in rows:
        cells = (c.rjust(w) if i in figures else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        yield "  ".join(cells).rstrip()
