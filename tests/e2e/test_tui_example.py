"""The example client of docs/client.md does what the page says."""

import re
import subprocess
import sys
from pathlib import Path

from tests.standins.query_process import ROOT, query_process


def test_the_example_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    assert len(code.splitlines()) <= 40
    script = tmp_path / "client.py"
    script.write_text(code, encoding="utf-8")
    with query_process("--devices", "200") as address:
        run = subprocess.run([sys.executable, str(script), address], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    rows = [line for line in run.stdout.splitlines() if line.startswith("{'node'")]
    assert len(rows) == 5
    assert run.stdout.count("kinds of chips") == 2
