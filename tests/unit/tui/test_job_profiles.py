"""What a job's page says of its profiles: bars by rank and window, what failed, operators by class."""

from datetime import timedelta
from typing import Any

from steelyard_tui.job.findings import findings
from steelyard_tui.job.page import JobPage
from steelyard_tui.present.glyphs import ASCII, UNICODE
from steelyard_tui.present.job import job_lines
from steelyard_tui.present.job_profiles import by_rank, profile_lines, split_bar, splits_of, window_title
from steelyard_tui.present.line import line_width, plain
from tests.unit.tui.test_job_findings import JOB, NOW


def window(number: int, rank: int | None, **differs: Any) -> dict[str, Any]:
    ts = NOW - timedelta(minutes=10 * number)
    return {
        "profile": f"p{number}", "ts": ts, "to_ts": ts + timedelta(seconds=1), "node": "n1", "rank": rank,
        "chip": "H100", "profiler": "kineto", "cause": "continuous", "state": "stored", "reason": None,
        "devices": 1, "steps": 3,
        "window_ns": 3_000_000_000, "step_s": 1.0, "loss_s": None, "loss_low_s": None, "loss_high_s": None,
        "samples": None, "origin": "measured", **differs,
    }  # fmt: skip


def parts(number: int, **shares: int) -> list[dict[str, Any]]:
    """Parts by `layer__class`, in percent of a second."""
    return [
        {"profile": f"p{number}", "layer": layer, "class": name, "ns": 10_000_000 * share}
        for (layer, name), share in ((key.replace("_", " ").split("  "), share) for key, share in shares.items())
    ]


PARTS = (
    *parts(1, compute__matmul=60, compute__norm=10, communication__all_reduce=20, idle__data_wait=10),
    *parts(2, compute__matmul=30, communication__all_reduce=50, memory_copy__memory_copy=10, idle__idle=10),
)
OPERATORS = (
    {"by": "operator", "name": "aten::mm", "class": "matmul", "ns": 600_000_000},
    {"by": "operator", "name": "aten::addmm", "class": "matmul", "ns": 300_000_000},
    {"by": "call", "name": "aten::linear", "class": "matmul", "ns": 1},
)
WINDOWS = (
    window(1, 0, loss_s=0.085),
    window(2, 1),
    window(3, 1, state="failed", reason="its profiler was busy", step_s=None),
)


def page(**differs: Any) -> JobPage:
    told: dict[str, Any] = {"profiles": WINDOWS, "profile_parts": PARTS, "profile_operators": OPERATORS}
    return JobPage(**{"read_at": NOW, "job": JOB, **told, **differs})


def text(**differs: Any) -> str:
    return "\n".join(plain(line).rstrip() for line in profile_lines(page(**differs), 78, UNICODE))


def test_each_rank_and_window_has_a_bar() -> None:
    said = text().splitlines()
    assert next(line for line in said if line.startswith("rank 0")).count("█") == round(0.7 * 36)
    rank_1 = next(line for line in said if line.startswith("rank 1"))
    assert (rank_1.count("█"), rank_1.count("▓"), rank_1.count("▒"), rank_1.count("·")) == (11, 18, 3, 4)
    first = next(line for line in said if "14:04:00 rank 0" in line)
    assert "░" in first
    assert first.endswith("1 s  cost 85 ms")
    assert next(line for line in said if "13:54:00 rank 1" in line).endswith("continuous")
    assert next(line for line in said if "13:44:00 rank 1" in line).endswith("!failed: its profiler was busy")


def test_operators_stand_with_their_class() -> None:
    said = text()
    assert next(line for line in said.splitlines() if line.startswith("matmul")).endswith("aten::mm, aten::addmm")
    assert " 45.0%" in said
    assert "exposed all reduce" in said
    assert "aten::linear" not in said
    host = tuple(row for row in OPERATORS if row["by"] == "call")
    assert "aten::linear" in text(profile_operators=host)


def test_nobody_who_profiled_says_nothing() -> None:
    assert profile_lines(page(profiles=(), profile_parts=(), profile_operators=()), 78, UNICODE) == []
    failed = text(profiles=WINDOWS[2:], profile_parts=(), profile_operators=())
    assert "its profiler was busy" in failed
    assert "compute" not in failed
    sampled = text(profiles=(window(1, 0, samples=12),), profile_parts=(), profile_operators=())
    assert "12 samples of its host's stacks" in sampled
    rates = text(profiles=(window(1, 0, profiler="msprof"),), profile_parts=(), profile_operators=())
    assert "rates of its devices' memory and links" in rates


def test_of_many_ranks_those_that_compute_least_are_shown() -> None:
    windows = tuple(window(n, n) for n in range(20))
    split = tuple(row for n in range(20) for row in parts(n, compute__matmul=80 + n, idle__idle=20 - n))
    said = text(profiles=windows, profile_parts=split)
    assert "8 of 20 ranks, those that compute least" in said
    assert "rank 0  " in said
    assert "\nrank 19" not in said
    assert "12 before them" in said
    ranks = by_rank(windows, splits_of(split))
    assert [one.rank for one in ranks] == list(range(20))


def test_a_bar_is_as_wide_as_it_must_be() -> None:
    for split in ((1, 1, 1, 0, 0, 0), (999, 1, 0, 0, 0, 0), (0, 0, 0, 7, 0, 3), (1, 2, 3, 4, 5, 6)):
        for cells in (1, 7, 40):
            assert line_width(split_bar(split, cells, UNICODE)) == cells


def test_it_fits_its_width_and_stands_in_the_page() -> None:
    for width in (40, 60, 78, 120):
        for glyphs in (UNICODE, ASCII):
            lines = [plain(line).rstrip() for line in profile_lines(page(), width, glyphs)]
            assert max(map(len, lines)) <= max(width, 54), (width, lines)
            assert glyphs is UNICODE or "".join(lines).isascii()
    whole = "\n".join(plain(line) for line in job_lines(page(), 78, UNICODE))
    assert whole.index("where its steps go") < whole.index("what to look at")
    assert "where its steps go" not in "\n".join(
        plain(line) for line in job_lines(page(), 78, UNICODE, has_profiles=False)
    )


def test_a_window_says_where_it_is_from() -> None:
    assert window_title(window(1, 3)) == "2026-11-25 14:04:00 rank 3 on n1, 1000 ms a step"
    assert window_title(window(1, None, origin="simulated", node=None)).startswith("simulated 20")
    assert window_title(window(1, 3, profiler="py_spy", step_s=None)) == "2026-11-25 14:04:00 rank 3 on n1, host stacks"


def test_a_cost_that_its_bounds_do_not_tell_from_none_is_told_by_the_upper() -> None:
    told = {"loss_s": -0.4, "loss_low_s": -2.0, "loss_high_s": 1.2}
    assert "cost < 1.2 s" in text(profiles=(window(1, 0, **told),))
    assert "cost 300 ms" in text(profiles=(window(1, 0, loss_s=0.3, loss_low_s=0.1, loss_high_s=0.5),))


def test_what_a_profile_says_to_look_at() -> None:
    def found(*of: dict[str, Any]) -> list[str]:
        return [one.text for one in findings(page(profile_parts=of)) if one.rule == "profile"]

    assert found(*parts(1, compute__matmul=80, communication__all_reduce=10, idle__data_wait=9, idle__idle=1)) == []
    (text,) = found(*parts(1, compute__matmul=69, idle__data_wait=31))
    assert text.startswith("in 31% of its steps' time nothing runs while its host waits for data (1 profile)")
    (text,) = found(*parts(1, compute__matmul=75, idle__idle=25), *parts(2, compute__matmul=80, idle__idle=20))
    assert text.startswith("in 22% of its steps' time nothing runs (2 profiles)")
    (text,) = found(*parts(1, compute__matmul=60, communication__all_reduce=30, communication__all_gather=10))
    assert text.startswith("40% of its steps' time is communication")
    assert text.endswith("most of it all reduce")
    assert found() == []
