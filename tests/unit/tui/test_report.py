"""The report's document, and what is written of it: the same figures, escaped, absent where they are absent."""

import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard_proto.errors import ConfigError, SteelyardError
from steelyard_tui.cli import main
from steelyard_tui.commands.report import _format_of
from steelyard_tui.history import History, Series
from steelyard_tui.report.build import build, title_of
from steelyard_tui.report.document import Document
from steelyard_tui.report.gather import Gathered, span_of
from steelyard_tui.report.markdown import as_markdown
from steelyard_tui.report.page import as_page
from steelyard_tui.report.plain import as_json

END = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
SCRIPT = "<script>alert('$1')</script>"
H100 = {"vendor": "nvidia", "chip": "H100", "part": "package", "origin": "measured"}
B2 = {"vendor": "huawei", "chip": "910B2", "part": "package", "origin": "measured"}
C = {"vendor": "huawei", "chip": "910C", "part": "die", "origin": "simulated"}
SHARE = {
    "from_ts": END - timedelta(hours=24), "to_ts": END, "scope": "all", "workload": None, "reference": "H100",
    "quantity": "tokens_per_s_device", "mode": "matched", "unit": "device", "kind": "jobs like these", "is_shown": True,
    "ratio": 0.404, "lo": 0.3812, "hi": 0.4238, "df": 9.0, "n_a": 3, "n_r": 4, "workloads": 1, "marked": "productive",
    "token_kind": "processed", "matched_on": ["model", "precision"], "prior_cv": None, "prior_groups": 0,
    "reason": None, "warnings": [], "excluded": [],
}  # fmt: skip
CLAIM = {
    "claim": "ours", "subject": "910B", "claimed_of": "H100", "reference": "H100", "unit": "device", "value": 0.4,
    "quantity": "training", "near": 0.05, "said_by": SCRIPT, "said_on": "2026", "note": None, "verdict": "consistent",
    "reason": None, "ratio": 0.404, "lo": 0.3812, "hi": 0.4238, "kind": "jobs like these", "probability": 0.987,
    "n_a": 3, "n_r": 4, "workloads": 1,
}  # fmt: skip
FIGURES = {
    "jobs": 3, "units": 24.0, "workloads": 1, "workload": "llama-8b | 4096", "tokens_per_s": 1412.4,
    "tflops": 413.0, "share_of_ceiling": 0.524, "currency": None, "mfu": 0.418, "mfu_basis": "dense", "ofu": 0.469,
    "tokens_per_j": 2.21, "cost_per_mtoken": None, "step_p50_s": 0.812, "step_p99_s": 0.904, "goodput": 0.931,
}  # fmt: skip
SPENT = {
    "jobs": 3, "device_h": 576.0, "productive_pct": 93.1, "checkpoint_pct": 3.9, "evaluate_pct": 0.0,
    "first_steps_pct": 1.0, "outside_steps_pct": 2.0, "energy_kwh": 312.5, "energy_covered_pct": 98.2,
    "power_w": 640.0,
}  # fmt: skip
JOB = {
    "run": "48213", "job": "48213", "name": SCRIPT, "user": "ines", "workload": "llama-8b | 4096", "devices": 8.0,
    "nodes": 1, "tokens_are": "declared", "device_h": 192.0, "all_steps": 9000, "all_tokens": 7.4e8,
    "tokens_per_s": 1412.4, "mfu_pct": 41.8, "mfu_basis": "dense", "mfu_absent": None, "ofu_pct": 46.9,
    "goodput_pct": 93.1, "energy_kwh": 104.2, "energy_covered_pct": 98.2, "tokens_per_j": 2.21,
}  # fmt: skip
NOTHING = dict.fromkeys(
    ("workload", "tflops", "share_of_ceiling", "mfu", "mfu_basis", "ofu", "tokens_per_j", "tokens_per_s", "step_p50_s",
     "step_p99_s")
)  # fmt: skip


def series(who: dict[str, Any], **figures: Any) -> list[dict[str, Any]]:
    began_ms = round(1000 * END.timestamp()) - 3_600_000
    return [{**who, "at_ms": began_ms + 600_000 * n, **figures} for n in (0, 1, 4)]


def gathered() -> Gathered:
    """Two measured chips of one workload, and a simulated one of which little is known."""
    spread = {"workload": SCRIPT, "runs": 3, "bins_s": [0.8, 0.81, 1.6], "steps_in_bin": [90, 8, 2], "steps": 100,
              "p50_s": 0.8, "p95_s": 0.81, "p99_s": 1.6, "tail": 2.0}  # fmt: skip
    at_ms = np.array([row["at_ms"] for row in series(H100)], dtype=float)
    watts = Series(*[np.array([640.0, np.nan, 610.0])] * 3)
    return Gathered(
        span=span_of(END - timedelta(hours=24), END, 86_400),
        shares=[
            {**SHARE, **B2, "warnings": ["the network differs exactly as the chips do"]},
            {**SHARE, **C, "ratio": None, "lo": None, "hi": None, "kind": None, "n_a": 0, "reason": "nothing matched"},
        ],
        claims=[{**CLAIM, **B2}, {**CLAIM, **B2, "claim": "x", "verdict": "not testable", "reason": "no A100 here"}],
        facts=[
            {
                "origin": "measured",
                "jobs": 7,
                "device_h": 1152.0,
                "all_tokens": 1.2e9,
                "goodput_pct": 93.1,
                "energy_kwh": 625.0,
                "energy_covered_pct": 98.2,
            }
        ],
        figures=[{**FIGURES, **H100}, {**FIGURES, **B2}, {**FIGURES, **NOTHING, **C}],
        chips=[{**SPENT, **H100}, {**SPENT, **B2}, {**SPENT, **C}],
        jobs=[{**JOB, **H100}, {**JOB, **B2, "mfu_pct": None, "mfu_absent": "unknown layers", "energy_kwh": None}],
        rates=[row for who in (H100, B2) for row in series(who, workload="llama-8b", rate=1400.0, device_s=9.0)],
        use=series(H100, mfu_pct=41.8, ofu_pct=46.9, ofu_validated=True)
        + series(B2, mfu_pct=None, ofu_pct=45.0, ofu_validated=False),
        losses=[
            {
                **who,
                "run": "r1",
                "model_name": SCRIPT,
                "task_name": None,
                "at_ms": n,
                "mean_loss": 3.5 - n,
                "tokens_so_far": 1e9 * n,
            }
            for who in (H100, B2)
            for n in (1, 2)
        ],
        spreads=[{**spread, **H100}],
        stragglers=[
            {
                **H100,
                "job": SCRIPT,
                "rank": 3,
                "node": SCRIPT,
                "uid": "GPU-1",
                "kind": "became slow",
                "cause": "clock",
                "since": END,
                "last_ts": END,
                "slow_pct": 8.1,
                "gain_pct": 6.2,
                "by_profile": "confirmed",
                "profile": "p1",
                "ranks": 64,
            }
        ],
        power={("nvidia", "H100", "package", "measured"): History(at_ms, 600_000, 0, 0, "1m", {"power_w": watts})},
        faults=["claims.toml: no field of a claim"],
    )


def document() -> Document:
    return build(gathered(), None, "head:8470", END)


@pytest.fixture(scope="module")
def page() -> str:
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    from steelyard_tui.report.plots.draw import draw

    made = document()
    return as_page(made, {picture.key: draw(picture) for section in made.sections for picture in section.pictures})


class Elements(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_page_shows_names_as_they_are_and_needs_nothing_beside_it(page: str) -> None:
    found = Elements(page)
    assert not found.of("script")
    assert sum(SCRIPT in text for text in found.text) >= 5
    assert not [value for _, attributes in found.tags for key, value in attributes.items() if key.startswith("on")]
    outside = [url for url in re.findall(r"https?://[^\"'\s<)]+", page) if not url.startswith("http://www.w3.org/")]
    assert outside == []
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {str(attributes["href"])[1:] for attributes in found.of("a")}
    assert named <= set(ids)
    assert title_of(document()) in found.text
    assert title_of(document()) == "Steelyard report: 24 h 00 to 2026-11-25 14:30 UTC, collector head:8470"


def test_the_pictures_follow_the_page_s_colours_and_say_what_they_show(page: str) -> None:
    pictures = Elements(page).of("svg")
    assert len(pictures) == 5
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)
    assert any("910B2: 0.40 [0.38, 0.42] over jobs like these" in str(picture["aria-label"]) for picture in pictures)
    svgs = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    colors = {color for svg in svgs for color in re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", svg)}
    assert colors == set()
    assert all("var(--" in svg for svg in svgs)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_tables_have_heads_and_what_is_simulated_says_so(page: str) -> None:
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert all("<caption>" in table and '<th scope="col"' in table and '<th scope="row"' in table for table in tables)
    assert "SIMULATED: " in page.partition("<main>")[0]
    rows = [row for row in re.findall(r"<tr>.*?</tr>", page) if "910C" in row]
    assert rows
    assert all('<span class="origin">simulated</span>' in row for row in rows)


def test_text_and_json_hold_the_same_figures() -> None:
    made = document()
    tables = {
        key: rows
        for section in json.loads(as_json(made))["sections"].values()
        for key, rows in section["tables"].items()
    }
    text = as_markdown(made)
    assert tables["shares"][0]["interval"] == [0.3812, 0.4238]
    assert "| ● 910B2 | 0.40 | 0.38 – 0.42 | 2.48 | jobs like these | 3 | 4 | 1 |" in text
    [claim] = tables["claims"]
    assert (claim["verdict"], claim["probability_pct"]) == ("consistent", 98.7)
    assert "| consistent | 0.40 | 0.38 – 0.42 | jobs like these | 98.7 | 3 and 4 |" in text
    assert tables["energy"][0]["energy_kwh"] == 312.5
    assert "| ▲ H100 | 312 | 98.2 | 640 | 2.21 |" in text
    assert "| ● 910C die simulated | 312 | 98.2 | 640 | – |" in text
    assert tables["stragglers"][0]["slow_pct"] == 8.1
    assert "| became slow | clock | 2026-11-25 14:30 | 2026-11-25 14:30 | 8.1 | 6.2 | confirmed |" in text
    for table in (table for section in made.sections for table in section.tables):
        assert len(tables[table.key]) == len(table.rows)
        assert f"### {table.caption.replace('|', chr(92) + '|')}" in text or not table.rows


def test_what_is_absent_stays_absent(page: str) -> None:
    made = document()
    told = json.loads(as_json(made))["sections"]
    bare = told["figures"]["tables"]["figures"][2]
    assert [bare[name] for name in ("tokens_per_s", "mfu_pct", "ofu_pct", "ofu_unvalidated_pct")] == [None] * 4
    text = as_markdown(made)
    assert "Rates and step times: llama-8b \\| 4096." in text
    assert "| ● 910C die simulated | 3 | 24 | – | – | – | – | – | – | – | – | – | 93.1 |" in text
    assert told["share"]["tables"]["shares"][1]["share"] is None
    assert "| ● 910C die simulated | – | – | – | – | 0 | 4 | 1 | nothing matched |" in text
    assert "48213 has no MFU: unknown layers" in text
    # OFU that isn't validated never stands in the column of that which is.
    ofu = [(row["ofu_pct"], row["ofu_unvalidated_pct"]) for row in told["figures"]["tables"]["figures"]]
    assert ofu == [(46.9, None), (None, 46.9), (None, None)]
    assert not re.search(r">(nan|None|inf)<", page)


def test_markdown_keeps_names_inert() -> None:
    text = as_markdown(document())
    assert "<script>" not in text
    assert r"\<script\>alert('$1')\</script\>" in text


def test_the_reference_is_what_is_asked_for_or_the_usual_one() -> None:
    assert document().reference == "H100"
    with pytest.raises(SteelyardError, match="no job ran on H20 in this window; jobs ran on H100: choose --reference"):
        build(gathered(), "H20", "head:8470", END)
    other = replace(gathered(), shares=[{**row, "reference": "910B2"} for row in gathered().shares])
    assert build(other, None, "head:8470", END).reference == "910B2"
    without = build(replace(gathered(), shares=[], jobs=[], figures=[], facts=[]), None, "head:8470", END)
    assert without.reference is None
    assert "No job trained in this window" in as_markdown(without)


def test_long_windows_are_told_by_hours_and_lines_have_few_points() -> None:
    for hours, level, step_s in ((1, "1m", 60), (24, "1m", 600), (7 * 24, "1h", 3600), (90 * 24, "1h", 86_400)):
        span = span_of(END - timedelta(hours=hours), END, hours * 3600)
        assert (span.level, span.step_s) == (level, step_s)
        assert span.seconds / span.step_s <= 170


def test_a_young_fleet_says_how_much_of_the_window_it_has() -> None:
    young = replace(gathered(), span=span_of(END - timedelta(minutes=40), END, 7 * 86_400))
    assert young.span.level == "1m"
    made = build(young, None, "head:8470", END)
    assert title_of(made).startswith("Steelyard report: 40 min to 2026-11-25 14:30 UTC, all that there is of 7 d 0 h, ")


def test_the_format_is_that_of_the_file() -> None:
    assert [_format_of(None, name) for name in (None, "a.html", "b.MD", "c.json")] == ["html", "html", "md", "json"]
    assert _format_of("json", "a.html") == "json"
    with pytest.raises(ConfigError, match="its ending says no format"):
        _format_of(None, "report.docx")


def test_faults_are_told_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["report", "-o", str(tmp_path / "r.html"), "--collector", "127.0.0.1:1"]) == 1
    assert "pip install 'steelyard[report]'" in capsys.readouterr().err
    assert main(["report", "-o", str(tmp_path / "none" / "r.md"), "--collector", "127.0.0.1:1"]) == 2
    assert "its folder doesn't exist" in capsys.readouterr().err
    assert main(["report", "-o", str(tmp_path / "r.md"), "--collector", "127.0.0.1:1"]) == 3
    assert list(tmp_path.iterdir()) == []
