"""Packages with sources of their own, installed as pip does it: modules and a dist-info on a path."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PAGE = ROOT / "docs" / "sources.md"


def install_example(folder: Path) -> Path:
    """Builds and installs the package that docs/sources.md shows; returns the path to be searched."""
    blocks = dict(
        re.findall(r"^```(python|toml)\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[:2]
    )
    project, site = folder / "project", folder / "site"
    project.mkdir(parents=True)
    (project / "steelyard_mychip.py").write_text(blocks["python"], encoding="utf-8")
    (project / "pyproject.toml").write_text(blocks["toml"], encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--target", str(site), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


def make_cards(root: Path, count: int = 2) -> None:
    """What the driver of the example shows."""
    for number in range(count):
        card = root / f"card{number}"
        card.mkdir(parents=True, exist_ok=True)
        facts = {"name": "My Chip 1", "busy_percent": 50 + number, "power_uw": 350_000_000, "temp_mc": 61_000}
        facts |= {"mem_used": 20 << 30, "mem_total": 64 << 30}
        for name, value in facts.items():
            (card / name).write_text(f"{value}\n", encoding="ascii")


class UnrulyPackage:
    """unruly_source.py, installed; see there for what it can be told."""

    def __init__(self, site: Path) -> None:
        """Writes the package into a directory that is to be searched for modules."""
        self.site = site
        info = site / "unruly-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unruly\nVersion: 1.0\n", encoding="ascii")
        points = "[steelyard.sources]\nunruly = unruly_source:open_unruly\n"
        (info / "entry_points.txt").write_text(points, encoding="ascii")
        shutil.copy(Path(__file__).with_name("unruly_source.py"), site)

    def tell(self, what: str, word: str = "") -> None:
        """Gives an order about `import`, `open`, `discover`, `close` or a device's number; without a word, ends it."""
        file = self.site / what
        if word:
            file.with_suffix(".unfinished").write_text(word, encoding="ascii")
            file.with_suffix(".unfinished").rename(file)
        else:
            file.unlink(missing_ok=True)

    def obey_no_more(self) -> None:
        """Ends all orders, so that what hangs ends."""
        for file in self.site.iterdir():
            if file.is_file() and not file.suffix:
                file.unlink()
