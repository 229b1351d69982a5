"""The documents: generated pages are fresh, links lead somewhere, and the README's commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("name", ["metrics", "exporters"])
def test_the_generated_pages_are_what_the_catalogues_give(name: str) -> None:
    made = subprocess.run(
        [sys.executable, f"docs/generate_{name}.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert made.stdout == (ROOT / f"docs/{name}.md").read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in t]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_the_readme_names_targets_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def _commands_of(program: str) -> set[str]:
    shown = subprocess.run([str(BIN / program), "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^    ([a-z]+)\b", shown.partition("COMMAND\n")[2], re.MULTILINE))


def _called(text: str) -> set[tuple[str, str]]:
    """Programs with their commands, in blocks of code and in quoted code."""
    blocks = re.findall(r"^```(?:sh)?\n(.+?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.+?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    calls = (re.match(r"(?:\S*/)?(steelyard(?:-agent|-collector)?) ([a-z]+)\b(?![:=.])", line) for line in lines)
    return {(call[1], call[2]) for call in calls if call}


def test_documented_commands_exist_and_the_front_page_leads_to_all_pages() -> None:
    called = {call for page in PAGES for call in _called(page.read_text(encoding="utf-8"))}
    assert ("steelyard", "local") in called
    known = {program: _commands_of(program) for program in {program for program, _ in called}}
    assert not {(program, command) for program, command in called if command not in known[program]}
    linked = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not {page.name for page in PAGES if f"({page.relative_to(ROOT)})" not in linked} - {"README.md"}
