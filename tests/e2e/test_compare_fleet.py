"""A simulated fleet of the past and the real collector: what the simulation knows comes out of compare and report."""

import csv
import io
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from steelyard_agent.sampling.sampler import Clock
from steelyard_agent.sending.channel import Target
from steelyard_agent.simulate.fleet import open_fleet, run_fleet
from steelyard_agent.simulate.node import Surroundings
from steelyard_agent.simulate.plan_file import load_fleet
from steelyard_agent.simulate.truth import Truth
from steelyard_tui.client import connect
from steelyard_tui.comparison import WINDOWS, read_weighed, with_past
from steelyard_tui.history import RATE_WINDOW, read_rates
from tests.standins.agent_parts import until
from tests.standins.programs import BIN, Collector
from tests.standins.screens import running_app, until_text
from tests.standins.truth import Truth as Told

CHIPS = {"H100": 1.0, "910B2": 2.5, "910C": 2.4}
JOBS = (0.97, 1.01, 1.02)
MINUTES = 12
TRUTH = "truth.jsonl"
USER = "<script>ines</script>"
CLAIMS = """
[[claim]]
id = "ours"
subject = "910B"
subject_chips = ["910B2"]
reference = "H100"
reference_chips = ["H100"]
unit = "device"
quantity = "training"
value = 0.40
said_by = "the simulation"
said_on = "2026"
"""


def fleet_file(folder: Path) -> Path:
    """Three jobs of one workload on each chip, which differ by some per cent."""
    text = ""
    for chip, step_s in CHIPS.items():
        prefix = chip.lower()
        text += f'[[nodes]]\nprefix = "{prefix}"\ncount = {len(JOBS)}\nchip = "{chip}"\ndevices = 1\n'
        for number, factor in enumerate(JOBS, 1):
            text += (
                f'[[job]]\nname = "llama-8b"\nid = "{prefix}-{number}"\nuser = "{USER}"\n'
                f'nodes = ["{prefix}-{number}"]\n'
                f"step_s = {step_s * factor}\ntokens_per_step = 16384\nparameters = 8000000000\n"
                "sequence_length = 4096\n"
            )
    text += '[[fault]]\nnode = "h100-1"\nkind = "ecc"\nfrom_s = 90\n'
    path = folder / "fleet.toml"
    path.write_text(text)
    return path


def train(folder: Path, address: str) -> None:
    """All of the fleet's minutes at once: its clock began in the past, and runs as fast as it can."""
    began_s = time.time() - (MINUTES + 2) * 60
    passed = [0.0]

    def pause(seconds: float) -> bool:
        passed[0] += seconds
        return False

    def now_s() -> float:
        return began_s + passed[0]

    clock = Clock(lambda: passed[0], lambda: int(now_s() * 1000), pause)
    plan = load_fleet(str(fleet_file(folder)))
    truth = Truth(folder / TRUTH, plan)
    around = Surroundings(folder / "fleet", Target(address=address), truth, 1, now_s)
    nodes = open_fleet(plan, around, clock)
    outcome = run_fleet(nodes, clock, seconds=MINUTES * 60, flush_ms=60_000, drain_s=180)
    truth.close()
    assert outcome.acknowledged == outcome.spooled, outcome


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    folder = tmp_path_factory.mktemp("compared")
    (folder / "claims.toml").write_text(CLAIMS)
    (folder / "prices.toml").write_text('currency = "USD"\n[price]\nH100 = 2.0\n910B2 = 1.0\n910C = 1.0\n')
    flags = ("--claims", str(folder / "claims.toml"), "--prices", str(folder / "prices.toml"), "--rollup-period", "1")
    program = Collector(folder, *flags)
    program.serve()
    try:
        train(folder, program.address)
        until(lambda: all(is_whole(bar_of(program, chip)) for chip in ("910B2", "910C")), 200)
        yield program
    finally:
        program.terminate()


def asked(collector: Collector, command: str, *arguments: str) -> str:
    run = subprocess.run(
        [str(BIN / "steelyard"), command, *arguments, "--collector", collector.address],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


def rows(collector: Collector, seconds: int = 3540, quantity: str = "tokens_per_s_device") -> list[dict[str, Any]]:
    with connect(collector.address) as client:
        return list(client.compare(seconds, quantity=quantity, mode="matched").table.to_pylist())


def is_whole(bar: dict[str, Any]) -> bool:
    """Whether all jobs are rolled up so far that either side has come to its checkpoint."""
    return (bar.get("n_a"), bar.get("n_r"), bar.get("marked")) == (len(JOBS), len(JOBS), "productive")


def bar_of(collector: Collector, chip: str, unit: str = "device", **asked_for: Any) -> dict[str, Any]:
    wanted = {"chip": chip, "reference": "H100", "unit": unit, "scope": "all"}
    found = [
        row
        for row in rows(collector, **asked_for)
        if row["is_shown"] and all(row[name] == value for name, value in wanted.items())
    ]
    return found[0] if found else {}


@pytest.fixture(scope="module")
def told(collector: Collector) -> Told:
    return Told(collector.folder / TRUTH)


def trained(truth: dict[str, Any]) -> int:
    return int(truth["steps"] + truth["checkpoint_steps"])


def test_jobs_did_what_the_simulation_says(collector: Collector, told: Told) -> None:
    query = "SELECT job, steps, tokens, productive_s, checkpoint_s FROM jobs INNER JOIN goodput USING (job)"

    def figures() -> dict[str, dict[str, Any]]:
        with connect(collector.address) as client:
            return {row["job"]: row for row in client.sql(query).table.to_pylist()}

    def is_all_there() -> bool:
        # Steps are counted as they come, the time of them with the minutes that are rolled up later.
        rows = figures().values()
        is_counted = sum(row["steps"] or 0 for row in rows) == sum(trained(job) for job in told.jobs.values())
        productive_s = sum(job["productive_s"] for job in told.jobs.values())
        return is_counted and sum(row["productive_s"] or 0.0 for row in rows) == pytest.approx(productive_s, rel=1e-4)

    until(is_all_there, 60)
    found = figures()
    assert found.keys() == told.jobs.keys()
    assert len(found) == len(CHIPS) * len(JOBS)
    for job, row in found.items():
        truth = told.jobs[job]
        # All that it trained, those with a checkpoint before them too; the others are what rates are counted of.
        assert row["steps"] == trained(truth)
        assert row["tokens"] == truth["tokens"] * row["steps"] / truth["steps"]
        assert (row["productive_s"], row["checkpoint_s"]) == pytest.approx(
            (truth["productive_s"], truth["checkpoint_s"]), rel=1e-4
        )


def test_a_fault_is_there_when_the_simulation_says(collector: Collector, told: Told) -> None:
    [fault] = told.faults
    with connect(collector.address) as client:
        query = "SELECT uid, toUnixTimestamp64Milli(ts) AS ms FROM events WHERE code = 'ecc_uncorrected'"
        [event] = client.sql(query).table.to_pylist()
    assert (fault["devices"], fault["from_ms"]) == ([event["uid"]], event["ms"])


def test_the_simulation_s_truth_lies_inside_the_intervals(collector: Collector, told: Told) -> None:
    for chip in ("910B2", "910C"):
        truth = told.shares["llama-8b", chip, "H100"]
        assert truth == pytest.approx(CHIPS["H100"] / CHIPS[chip]) == told.shares[None, chip, "H100"]
        bar = bar_of(collector, chip)
        assert bar["kind"] == "jobs like these"
        assert (bar["n_a"], bar["n_r"], bar["origin"], bar["marked"]) == (3, 3, "simulated", "productive")
        assert bar["lo"] < truth < bar["hi"]
        assert bar["ratio"] == pytest.approx(truth, rel=0.001)
        assert bar["hi"] - bar["lo"] < 0.1
    cost = bar_of(collector, "910B2", quantity="cost_per_mtoken")
    assert cost["lo"] < 0.5 * 2.5 < cost["hi"]
    package = bar_of(collector, "910C", "package")
    assert package["lo"] < 2 / 2.4 < package["hi"]


def test_people_read_a_bar_and_what_it_is_made_of(collector: Collector) -> None:
    said = asked(collector, "compare", "--since", "59m")
    assert "SIMULATED: such devices and jobs don't exist" in said
    # Of a job that is there before the collector's first look its whole allocation is told: then it is all 59 minutes.
    assert re.search(r"share of H100 in tokens/s per device, \d\d min to .* UTC", said), said
    assert "matched on model, sequence length, precision, task" in said
    [h100] = [line.split() for line in said.splitlines() if line.startswith("nvidia ") and " H100 " in line]
    assert h100[2:6] == ["package", "simulated", "3", "3"]
    line = next(line for line in said.partition("share of")[2].splitlines() if "910B2 " in line)
    assert "█" in line
    assert "0.40 [" in line
    assert "over jobs like these; 2.5 devices = 1 H100" in line
    assert "3 against 3 jobs of 1 workload" in said
    plain = asked(collector, "compare", "--since", "59m", "--ascii", "--quantity", "tokens_per_j")
    assert plain.isascii()
    table = list(csv.DictReader(io.StringIO(asked(collector, "compare", "--since", "59m", "--format", "csv"))))
    assert {row["reference"] for row in table} == {"H100"}


async def test_the_first_screen_says_the_same_as_the_command(collector: Collector, tmp_path: Path) -> None:
    def is_kept() -> bool:
        with connect(collector.address) as client:
            shares = read_weighed(client, "H100", WINDOWS[0]).shares
        return {row["chip"] for row in shares if row["n_a"] == len(JOBS)} == {"910B2", "910C"}

    # The last of the jobs' minutes is in it only once that has been weighed.
    until(is_kept, 200)
    async with running_app(collector.address, tmp_path, (160, 48)) as pilot:
        text = await until_text(pilot, "2.5 devices = 1 H100")
        assert "3 against 3 jobs; 95 % over jobs like these  per die" in text
        # Claims and the past come by queries of their own.
        await until_text(pilot, "910B = 0.40 of H100 (the simulation, 2026)")
        assert "~ simulated" in text
        marked = [line for line in text.splitlines()[3:] if line.startswith(("   ▲ H100", "▌  ●", "   ●"))]
        assert marked[0].split()[-1] == "1.00"
        assert {line.split()[-1] for line in marked[1:3]} <= {"0.40", "0.41", "0.42"}
    # What its panels are made of passes the gate, and is there.
    with connect(collector.address) as client:
        weighed = read_weighed(client, "H100", WINDOWS[0])
        now_ms = int(time.time() * 1000)
        assert with_past(client, weighed, now_ms, with_rates=True).jobs is not None
        workload = next(
            row["workload"] for row in weighed.shares if (row["scope"], row["mode"]) == ("workload", "matched")
        )
        rates = read_rates(client, workload, RATE_WINDOW, now_ms)
    assert {key[1] for key in rates} == set(CHIPS)


def test_claims_are_judged_and_marked_as_simulated(collector: Collector) -> None:
    said = asked(collector, "claims", "--since", "59m")
    ours = said.partition("ours: 910B = 0.40 of H100 per device; the simulation, 2026\n")[2].splitlines()[0]
    assert ours.startswith("  910B2 of H100: SIMULATED DATA: consistent: 0.40 [")
    assert "within 5 points; 3 against 3 jobs of 1 workload" in ours
    assert "910B2 of A100-80G: not testable here: no A100-80G here" in said
    assert "not testable here: it is of inference; only training is measured here" in said


def test_the_kept_rows_are_what_the_command_says(collector: Collector) -> None:
    query = "SELECT chip, ratio, lo, hi FROM shares WHERE window = '1h' AND reference = 'H100' AND is_shown"
    query += " AND quantity = 'tokens_per_s_device' AND mode = 'matched' AND unit = 'device' AND n_a = 3 ORDER BY chip"

    def kept() -> list[dict[str, Any]]:
        with connect(collector.address) as client:
            return list(client.sql(query).table.to_pylist())

    until(lambda: len(kept()) == 2, 100)

    def is_told() -> bool:
        told = json.loads(asked(collector, "compare", "--since", "1h", "--format", "json"))
        names = ("chip", "ratio", "lo", "hi")
        return kept() == [{name: row[name] for name in names} for row in told if row["is_shown"] and row["n_a"]]

    # They may have been kept anew in between.
    until(is_told, 60)


def test_a_reference_that_nothing_ran_on_is_said(collector: Collector) -> None:
    run = subprocess.run(
        [str(BIN / "steelyard"), "compare", "--reference", "H20", "--since", "59m", "--collector", collector.address],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert run.returncode == 1
    assert "no job ran on H20 in this window; jobs ran on 910B2, 910C, H100: choose --reference" in run.stderr


@pytest.fixture(scope="module")
def page(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert asked(collector, "report", "--since", "59m", "-o", str(path)) == ""
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    return path


def test_the_report_holds_what_compare_says(collector: Collector) -> None:
    told = json.loads(asked(collector, "report", "--since", "59m", "--format", "json"))
    assert told["warning"].startswith("SIMULATED")
    assert told["reference"] == "H100"
    tables = {key: own for section in told["sections"].values() for key, own in section["tables"].items()}
    shares = {row["chip"]: row for row in tables["shares"]}
    bar = bar_of(collector, "910B2")
    assert shares["910B2"]["share"] == pytest.approx(bar["ratio"], rel=0.001)
    assert shares["910B2"]["interval"] == pytest.approx([bar["lo"], bar["hi"]], rel=0.01)
    [package] = tables["per_package"]
    assert package["share"] == pytest.approx(2 / 2.4, rel=0.001)
    assert {row["chip"]: row["share"] for row in tables["cost"]}["910B2"] == pytest.approx(0.5 * 2.5, rel=0.001)
    steps = {row["chip"]: row["p50_s"] for row in tables["steps"]}
    assert steps == {chip: pytest.approx(step_s, rel=0.05) for chip, step_s in CHIPS.items()}
    assert {row["user"] for row in tables["jobs"]} == {USER}
    assert len(tables["jobs"]) == len(CHIPS) * len(JOBS)
    spent = {row["chip"]: row for row in tables["goodput"]}
    parts = ("productive_pct", "checkpoint_pct", "evaluate_pct", "first_steps_pct", "outside_steps_pct")
    assert sum(spent["H100"][part] for part in parts) == pytest.approx(100, abs=0.5)
    energy = {row["chip"]: row for row in tables["energy"]}
    assert energy["H100"]["energy_kwh"] > 0
    figures = {row["chip"]: row for row in tables["figures"]}
    assert figures["H100"]["workload"].startswith("llama-8b")
    assert energy["H100"]["tokens_per_j"] == figures["H100"]["tokens_per_j"]
    verdicts = {row["claim"]: row["verdict"] for row in tables["claims"]}
    assert verdicts["ours"] == "consistent"


def test_a_window_without_data_makes_no_page(collector: Collector, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    run = subprocess.run(
        [str(BIN / "steelyard"), "report", "--since", "1m", "-o", str(path), "--collector", collector.address],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert run.returncode == 1
    assert "nothing is recorded on" in run.stderr
    assert "try another --since" in run.stderr
    assert not path.exists()


def browse(folder: Path, *arguments: str) -> str:
    """A page in headless Chromium; what it prints."""
    program = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := which(name))), None
    )
    if program is None:
        pytest.skip("no Chromium here, so nobody looks at the page: apt-get install chromium")
    flags = (
        "--no-sandbox",
        "--headless",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'chromium'}",
    )
    run = subprocess.run([program, *flags, *arguments], capture_output=True, text=True, timeout=110)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_browser_shows_the_page_s_figures(page: Path, tmp_path: Path, collector: Collector) -> None:
    seen = browse(tmp_path, "--dump-dom", page.as_uri())
    bar = bar_of(collector, "910B2")
    figure = f"{bar['ratio']:.2f} [{bar['lo']:.2f}, {bar['hi']:.2f}]"
    assert figure in seen.partition("<svg")[2].partition("</svg>")[0]
    assert "3 against 3 jobs" in seen
    assert "<script" not in seen
    assert "&lt;script&gt;ines&lt;/script&gt;" in seen


@pytest.mark.parametrize(("scheme", "number"), [("light", "1"), ("dark", "0")])
def test_a_browser_draws_the_page_in_both_schemes(page: Path, tmp_path: Path, scheme: str, number: str) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = tmp_path / "page.png"
    browse(
        tmp_path, f"--blink-settings=preferredColorScheme={number}", "--window-size=1200,2400",
        f"--screenshot={picture}", page.as_uri(),
    )  # fmt: skip
    with image.open(picture) as shot:
        pixels = shot.convert("RGB")
        counted = sorted(pixels.getcolors(1 << 24), reverse=True)
    share = counted[0][0] / (pixels.width * pixels.height)
    assert counted[0][1] == {"light": (255, 255, 255), "dark": (13, 17, 23)}[scheme]
    # Words and bars: neither blank nor flooded.
    assert 0.5 < share < 0.97
    huawei = {"light": (201, 133, 0), "dark": (230, 159, 0)}[scheme]
    assert next((count for count, color in counted if color == huawei), 0) > 2000


def test_a_job_s_page_has_the_simulation_s_truth_and_a_code(collector: Collector) -> None:
    run = subprocess.run(
        [str(BIN / "steelyard"), "job", "910b2-1", "--json", "--collector", collector.address],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    told = json.loads(run.stdout)
    assert (run.returncode, told["origin"], told["run"]) == (told["exit_code"], "simulated", "910b2-1"), run.stderr
    [figures] = told["figures"]
    assert figures["tokens_per_s_device"] == pytest.approx(16384 / (CHIPS["910B2"] * JOBS[0]), rel=0.01)
    assert (figures["chip"], told["held"][0]["node"]) == ("910B2", "910b2-1")
    assert figures["mfu_absent"] == "layers, heads or head size not known"
